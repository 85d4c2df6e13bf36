"""What a shell offers behind a line, with the completion holdctl wrote for it: each shell completes for real, as at its prompt.
Used by the lanes tools (no daemon) and net (names of a running one).
"""
import os
import pty
import re
import select
import shutil
import subprocess
import tempfile
import time

LIMIT = 30
SHELLS = ("bash", "zsh", "fish")
# The line is there as soon as the prompt is; what goes into compadd is written down on its way, and the shell leaves.
ZSHRC = r"""
fpath=($ZDOTDIR $fpath)
autoload -Uz compinit
compinit -u -D
compadd() {
    local -a hit
    if [[ -n ${(M)@[1,(i)--]:#-[OAD]*} ]]; then
        builtin compadd "$@"
        return
    fi
    builtin compadd -O hit "$@"
    ((! $#hit)) || print -lr -- $hit >>$ZDOTDIR/offered
    builtin compadd "$@"
}
zle-line-init() {
    BUFFER=$(<$ZDOTDIR/line)
    CURSOR=$#BUFFER
    zle list-choices
    exit
}
zle -N zle-line-init
"""


def missing(shells=SHELLS):
    """Those of these shells that are not installed."""
    return [s for s in shells if not shutil.which(s)]


def _quiet(argv, home):
    p = subprocess.run(argv, capture_output=True, text=True, timeout=LIMIT, env={**os.environ, "HOME": home, "XDG_CONFIG_HOME": home, "XDG_DATA_HOME": home})
    if p.returncode or p.stderr:
        raise ValueError("%s: status %d: %s" % (argv[0], p.returncode, p.stderr))
    return p.stdout.splitlines()


def _bash(script, line, home):
    words = [w for part in line.split(" ") for w in (re.split("(:)", part) if part else [""]) if w or not part]
    return _quiet(["bash", "-c", "%s\nCOMP_WORDS=(%s)\nCOMP_CWORD=%d\nCOMP_LINE='%s'\nCOMP_POINT=%d\n_holdctl\nprintf '%%s\\n' \"${COMPREPLY[@]}\"" % (
        script, " ".join("'%s'" % w for w in words), len(words) - 1, line, len(line))], home)


def _fish(script, line, home):
    with open(os.path.join(home, "holdctl.fish"), "w") as f:
        f.write(script)
    return [x.split("\t")[0] for x in _quiet(["fish", "-c", "source $HOME/holdctl.fish; complete -C $argv[1]", line], home)]


def _zsh(script, line, home):
    for name, text in ("_holdctl", script), (".zshrc", ZSHRC), ("line", line), ("offered", ""):
        with open(os.path.join(home, name), "w") as f:
            f.write(text)
    pid, fd = pty.fork()
    if not pid:
        os.execvpe("zsh", ["zsh", "-o", "noglobalrcs", "-i"], {**os.environ, "ZDOTDIR": home, "HOME": home, "TERM": "dumb"})
    end, said = time.monotonic() + LIMIT, b""
    try:
        while time.monotonic() < end:
            if not select.select([fd], [], [], 1)[0]:
                continue
            try:
                data = os.read(fd, 65536)
            except OSError:  # the shell has left
                break
            if not data:
                break
            said += data
        else:
            os.kill(pid, 9)
            raise ValueError("zsh: still there after %d s: %s" % (LIMIT, said))
    finally:
        os.close(fd)
        os.waitpid(pid, 0)
    if re.search(rb"_holdctl:|not found|parse error|bad ", said):
        raise ValueError("zsh: %s" % said)
    with open(os.path.join(home, "offered")) as f:
        return f.read().splitlines()


def complete(shell, script, line):
    """The words this shell offers at the end of the line, sorted. script: what `holdctl completion SHELL` said. ValueError: the shell complained."""
    with tempfile.TemporaryDirectory() as home:
        words = {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](script, line, home)
    return sorted({w for w in words if w})
