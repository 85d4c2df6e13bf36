"""The laboratory of the black-box lanes (net, chaos, demo): Python 3 standard library, root, iproute2. See house.py."""
from . import conf, openmetrics, packet, report
from .daemon import Daemon, Hang, alive, children, descendants, process_name, process_state
from .speaker import Speaker
from .jobs import parallel
from .house import Failure, Lab, Skip, check, need_root, now, run
from .watch import in_netns
