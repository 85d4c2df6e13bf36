"""VRRP, ARP and ND frames: built for attack and parsed as witnesses. Pure functions on bytes, no sockets.

A parsed frame keeps every fact a test may want to judge; judging is the test's business. Used by watch.py (what was on the
wire) and by the lanes that forge adverts.
"""
import ipaddress
import struct

V4_GROUP, V6_GROUP = "224.0.0.18", "ff02::12"
ETH_ARP, ETH_IP4, ETH_IP6 = 0x0806, 0x0800, 0x86DD


def packed(addr):
    return ipaddress.ip_address(addr).packed


def text(raw):
    return str(ipaddress.ip_address(raw))


def mac_bytes(mac):
    return bytes.fromhex(mac.replace(":", ""))


def mac_text(raw):
    return ":".join("%02x" % b for b in raw)


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def pseudo(src, dst, length, proto=112):
    if ":" in src:
        return packed(src) + packed(dst) + struct.pack("!IHBB", length, 0, 0, proto)
    return packed(src) + packed(dst) + struct.pack("!BBH", 0, proto, length)


def group_mac(group):
    raw = packed(group)
    if len(raw) == 16:
        return b"\x33\x33" + raw[12:]
    return b"\x01\x00\x5e" + bytes([raw[1] & 0x7F]) + raw[2:]


# ---------------------------------------------------------------- build
def advert(src, vips, version=3, vrid=51, priority=100, interval=1.0, auth=None, group=None, kind=1, count=None,
           bad_checksum=False, v3_plain=False):
    """The VRRP message alone. auth: VRRPv2 password; interval in seconds."""
    six = ":" in src
    group = group or (V6_GROUP if six else V4_GROUP)
    body = b"".join(packed(v) for v in vips)
    count = len(vips) if count is None else count
    if version == 2:
        timing = struct.pack("!BB", 1 if auth is not None else 0, int(interval))
        body += b"" if six and auth is None else (auth or "").encode().ljust(8, b"\0")[:8]
    else:
        timing = struct.pack("!H", round(interval * 100) & 0xFFF)
    head = struct.pack("!BBBB", version << 4 | kind, vrid, priority, count) + timing
    plain = head + b"\0\0" + body
    with_pseudo = six or (version == 3 and not v3_plain)
    value = checksum((pseudo(src, group, len(plain)) if with_pseudo else b"") + plain)
    if bad_checksum:
        value ^= 0x5A5A
    return head + struct.pack("!H", value) + body


def ip_frame(smac, src, payload, dst=None, ttl=255, proto=112, dmac=None, ident=1):
    """An Ethernet frame around payload, to the VRRP group unless dst is given."""
    six = ":" in src
    dst = dst or (V6_GROUP if six else V4_GROUP)
    ether = (dmac or group_mac(dst)) + mac_bytes(smac)
    if six:
        return ether + struct.pack("!HIHBB", ETH_IP6, 0x6C000000, len(payload), proto, ttl) + packed(src) + packed(dst) + payload
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0xC0, 20 + len(payload), ident & 0xFFFF, 0, ttl, proto, 0, packed(src), packed(dst))
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return ether + struct.pack("!H", ETH_IP4) + head + payload


# ---------------------------------------------------------------- parse
class Frame:
    """One frame seen on a port. kind: advert, garp, arp, na, other, broken. ts: kernel receive time, ns since the epoch."""

    def __init__(self, ts, node, raw):
        self.ts, self.node, self.raw, self.kind = ts, node, raw, "other"
        self.faults, self.ah_seq, self.trailer = [], None, None
        try:
            self._parse(raw)
        except (struct.error, IndexError, ValueError):
            self.kind = "broken"

    def _parse(self, raw):
        self.eth_src = mac_text(raw[6:12])
        ether = struct.unpack("!H", raw[12:14])[0]
        body = raw[14:]
        if ether == ETH_ARP:
            self._parse_arp(body)
        elif ether == ETH_IP4:
            ihl, total = (body[0] & 15) * 4, struct.unpack("!H", body[2:4])[0]
            self.ttl, proto = body[8], body[9]
            self.src, self.dst = text(body[12:16]), text(body[16:20])
            if checksum(body[:ihl]):
                self.faults.append("IP checksum")
            self._parse_proto(proto, body[ihl:total])
        elif ether == ETH_IP6:
            length, proto, self.ttl = struct.unpack("!HBB", body[4:8])
            self.src, self.dst = text(body[8:24]), text(body[24:40])
            self._parse_proto(proto, body[40:40 + length])

    def _parse_arp(self, body):
        self.op = struct.unpack("!H", body[6:8])[0]
        self.sender, self.target = text(body[14:18]), text(body[24:28])
        self.kind = "garp" if self.sender == self.target else "arp"

    def _parse_proto(self, proto, body):
        if proto == 51 and body[0] == 112:  # authentication header
            self.ah_seq = struct.unpack("!I", body[8:12])[0]
            proto, body = 112, body[(body[1] + 2) * 4:]
        if proto == 112:
            self._parse_advert(body)
        elif proto == 58 and body[:1] == b"\x88":
            self.kind, self.target = "na", text(body[8:24])

    def _parse_advert(self, pdu):
        self.kind, self.pdu = "advert", pdu
        self.version, self.type, self.vrid, self.priority, count = pdu[0] >> 4, pdu[0] & 15, pdu[1], pdu[2], pdu[3]
        six = ":" in self.src
        width = 16 if six else 4
        self.interval = float(pdu[5]) if self.version == 2 else (struct.unpack("!H", pdu[4:6])[0] & 0xFFF) / 100
        self.auth_type = pdu[4] if self.version == 2 else 0
        end = 8 + count * width
        self.vips = [text(pdu[8 + i * width:8 + (i + 1) * width]) for i in range(count)]
        tail = 8 if self.version == 2 and (not six or self.auth_type == 1) else 0
        self.auth = pdu[end:end + tail]
        if self.type != 1:
            self.faults.append("type %d" % self.type)
        if self.version not in (2, 3):
            self.faults.append("version %d" % self.version)
        if self.ttl != 255:
            self.faults.append("TTL %d" % self.ttl)
        end += tail
        self.trailer = pdu[end:] if len(pdu) == end + 28 else None  # auth_hmac; outside the IPv4 checksum
        if self.trailer is None and len(pdu) != end:
            self.faults.append("length %d" % len(pdu))
        if self.trailer and not six:
            pdu = pdu[:-28]
        with_pseudo = six or self.version == 3
        if checksum((pseudo(self.src, self.dst, len(pdu)) if with_pseudo else b"") + pdu):
            self.faults.append("VRRP checksum")
