#!/usr/bin/env python3
"""Diagnostics in Chinese: the catalog is complete, and holdfast -t says the same in it as in English.

    run.py [--build DIR] [--corpus DIR] [--only NAME,NAME]

Locales need not be installed: the catalog is read by holdfast-conf itself.
"""
import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True
sys.path[:0] = [os.path.dirname(HERE)]
from lab import Failure, check, suite  # noqa: E402

PO = os.path.join(TOP, "etc/po/zh_CN.po")
CJK = re.compile("[\u4e00-\u9fff]")
SEVERITY = {"错误": "error", "警告": "warning", "提示": "note", "error": "error", "warning": "warning", "note": "note"}
LINE = re.compile(r"(?:(?P<place>.*?): )?(?P<severity>%s): (?P<message>.*) \[(?P<code>HF-[A-Z0-9-]+)\]$" % "|".join(SEVERITY))
CONVERSION = re.compile(r"%(?:(\d)\$)?([-+ #0]*(?:\*|\d+)?(?:\.(?:\*|\d+))?(?:hh|h|ll|l|z|j|t)?[a-zA-Z%])")
WRONG = """global_defs {
    router_idd A
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51 extra
    priority 300
    virtual_ipaddress { 192.0.2.9 }
}
"""


def load_corpus_lane():
    spec = importlib.util.spec_from_file_location("corpus", os.path.join(TOP, "test/corpus/run.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def po_entries(text):
    """msgid -> (msgstr, flags) of a .po without plurals and contexts."""
    found = {}
    for block in text.split("\n\n"):
        m = re.search(r'^msgid ((?:".*"\n)+)msgstr ((?:".*"\n?)+)', block, re.M)
        if not m or block.lstrip().startswith("#~"):
            continue
        one, two = ("".join(re.findall(r'"((?:[^"\\]|\\.)*)"', part)) for part in m.groups())
        found[one] = (two, re.findall(r"^#, (.*)$", block, re.M))
    found.pop("", None)
    return found


def conversions(text):
    """What printf takes, in the order of the arguments."""
    found = [(m[1], m[2]) for m in CONVERSION.finditer(text) if m[2] != "%"]
    placed = [f for f in found if f[0]]
    check(not placed or len(placed) == len(found), "%s: some arguments with a position and some without", text)
    return [f[1] for f in (sorted(found, key=lambda f: int(f[0])) if placed else found)]


class Locale:
    def __init__(self, o, folder):
        self.o, self.folder = o, folder
        self.daemon, self.conf, self.holdctl = (os.path.join(o.build, n) for n in ("holdfast", "holdfast-conf", "holdctl"))
        self.wrong = os.path.join(folder, "wrong.conf")
        with open(self.wrong, "w") as f:
            f.write(WRONG)
        os.chmod(folder, 0o755)

    def run(self, *argv, env=None, cwd=None, **more):
        clean = {k: v for k, v in os.environ.items() if not k.startswith("LC_") and k not in ("LANG", "LANGUAGE")}
        p = subprocess.run(argv, cwd=cwd, env={**clean, **(env or {"LANG": "C"})}, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=30, **more)
        return p.returncode, p.stdout.decode(errors="replace"), p.stderr.decode(errors="replace")

    def said(self, text):
        """(place, severity, code, message) of each diagnostic."""
        return [(m["place"], SEVERITY[m["severity"]], m["code"], m["message"]) for m in map(LINE.match, text.split("\n")) if m]

    # ---- the catalog

    def test_catalog_complete(self):
        """Every text of the sources is in the catalog and translated, and nothing else is."""
        p = subprocess.run([os.path.join(TOP, "etc/po/extract")], stdout=subprocess.PIPE, check=True)
        wanted = po_entries(p.stdout.decode())
        with open(PO, encoding="utf-8") as f:
            have = po_entries(f.read())
        hint = "; etc/po/extract > /tmp/h.pot && msgmerge --no-wrap --no-fuzzy-matching -U etc/po/zh_CN.po /tmp/h.pot, then translate"
        check(len(wanted) > 400, "only %d texts found in the sources", len(wanted))
        check(not wanted.keys() - have.keys(), "not in the catalog: %s%s", sorted(wanted.keys() - have.keys())[:5], hint)
        check(not have.keys() - wanted.keys(), "no longer in the sources: %s%s", sorted(have.keys() - wanted.keys())[:5], hint)
        empty = [i for i, (text, flags) in have.items() if not text or any("fuzzy" in f for f in flags)]
        check(not empty, "not translated: %s", empty[:5])

    def test_catalog_formats(self):
        """The same conversions in each, and words of Chinese in all that has words (but for what is to be typed)."""
        p = subprocess.run(["msgfmt", "--check", "--check-format", "-o", os.devnull, PO], stderr=subprocess.PIPE)
        check(p.returncode == 0, "msgfmt: %s", p.stderr.decode())
        with open(PO, encoding="utf-8") as f:
            have = po_entries(f.read())
        for one, (two, _) in have.items():
            check(conversions(one) == conversions(two), "%s: takes %s, its translation %s", one, conversions(one), conversions(two))
            for mark in ("“", "”", "‘", "’"):
                check(mark not in two, "%s: a typographic quote, which holdfast itself objects to in files: %s", one, two)
            words = re.findall(r"\b[a-z]{3,}\b", re.sub(r"openssl.*", "", one))
            typed = re.fullmatch(r"[\w\[\] :/%.*~(){},]*", one) and len(words) < 2
            check(typed or CJK.search(two), "%s: not Chinese: %s", one, two)

    # ---- what is said

    def test_corpus(self):
        """Every broken file: the same codes at the same places in both languages, all of it Chinese in one."""
        lane = load_corpus_lane()
        source = os.path.join(self.o.corpus, "broken")
        if not os.path.isdir(source):
            raise Failure("the corpus is not at " + source)
        files = said = 0
        for row in lane.read_index(source):
            case = lane.Case("broken", row)
            if row.get("gen", "").startswith(("device:", "repeat:")):
                continue
            with tempfile.TemporaryDirectory() as tmp:
                os.chmod(tmp, 0o755)
                if os.path.isdir(os.path.join(source, "inc")):
                    shutil.copytree(os.path.join(source, "inc"), os.path.join(tmp, "inc"), copy_function=shutil.copyfile)
                path = lane.make_file(case, source, tmp)
                both = [self.run(self.conf, "--test", "-f", path, env={"LANG": lang}, cwd=tmp) for lang in ("C", "zh_CN.UTF-8")]
            (status, _, english), (status_zh, _, chinese) = both
            files += 1
            check(status == status_zh, "%s: exit status %d in English, %d in Chinese", row["file"], status, status_zh)
            one, two = self.said(english), self.said(chinese)
            check([x[:3] for x in one] == [x[:3] for x in two], "%s: not the same\n%s\n%s", row["file"], english, chinese)
            said += len(two)
            for (_, _, code, en), (_, _, _, zh) in zip(one, two):
                check(CJK.search(zh) and zh != en, "%s: [%s] is not Chinese: %s", row["file"], code, zh)
                left = self.left_over(en, zh)
                check(not left, "%s: [%s] English is left over: %s: %s", row["file"], code, left, zh)
            helps = [re.findall(r"^    = (?:help|建议): (.*)$", t, re.M) for t in (english, chinese)]
            check(len(helps[0]) == len(helps[1]), "%s: not as many remedies\n%s", row["file"], chinese)
        check(files > 100 and said > 100, "only %d files with %d diagnostics", files, said)

    def left_over(self, english, chinese):
        """Words of plain English prose in a Chinese message; keywords and names stay, so only what no file would say."""
        prose = "the|is|not|and|with|without|needs|given|twice|counts|expected|inside|already|missing|belongs|level|unknown"
        return re.findall(r"\b(?:%s)\b" % prose, re.sub(r'"[^"]*"', "", chinese))

    def test_choice(self):
        """Which locales mean Chinese, none of them installed."""
        chinese = [{"LANG": "zh_CN.UTF-8"}, {"LANG": "zh_CN"}, {"LANG": "zh_CN.utf8"}, {"LANG": "zh_SG.UTF-8"},
                   {"LC_MESSAGES": "zh_CN.UTF-8", "LANG": "en_US.UTF-8"}, {"LC_ALL": "zh_CN.UTF-8", "LANG": "C"},
                   {"LANG": "en_US.UTF-8", "LANGUAGE": "zh_CN:en"}, {"LANG": "de_DE.UTF-8", "LANGUAGE": "de:zh_CN"}]
        english = [{}, {"LANG": "C"}, {"LANG": "en_US.UTF-8"}, {"LC_ALL": "C", "LANG": "zh_CN.UTF-8"},
                   {"LC_ALL": "C.UTF-8", "LANGUAGE": "zh_CN"}, {"LANG": "zh_CN.GBK"}, {"LANG": "zhx_CN.UTF-8"},
                   {"LANG": "zh_CN.UTF-8", "LANGUAGE": "en"}, {"LANG": "../../zh_CN.UTF-8"}]
        for env, want in [(e, True) for e in chinese] + [(e, False) for e in english]:
            status, _, err = self.run(self.daemon, "-t", "-f", self.wrong, env=env or {"NONE": "1"})
            check(status == 5, "%s: exit status %d: %s", env, status, err)
            check(bool(CJK.search(err)) == want, "%s: %s is wanted: %s", env, "Chinese" if want else "English", err)

    def test_json_english(self):
        """--json is for programs: the same bytes in every locale."""
        one, two = (self.run(self.daemon, "-t", "--json", "-f", self.wrong, env={"LANG": lang}) for lang in ("C", "zh_CN.UTF-8"))
        check(one == two and '"HF-KEYWORD"' in one[1], "not the same:\n%s\n%s", one, two)

    def test_holdctl_check(self):
        status, _, err = self.run(self.holdctl, "check", self.wrong, env={"LANG": "zh_CN.UTF-8"})
        check(status == 5 and "未知的关键字 router_idd" in err and "[HF-KEYWORD]" in err, "exit status %d: %s", status, err)

    def test_definition_and_include(self):
        """What surrounds the message is Chinese, too: the way through includes, the first place, what was meant."""
        with open(os.path.join(self.folder, "part.inc"), "w") as f:
            f.write("global_defs {\n    router_idd A\n}\nvrrp_instance A {\n interface eth0\n}\nvrrp_instance A {\n interface eth0\n}\n")
        with open(os.path.join(self.folder, "main.conf"), "w") as f:
            f.write("include part.inc\n")
        _, _, err = self.run(self.daemon, "-t", "-f", os.path.join(self.folder, "main.conf"), env={"LANG": "zh_CN.UTF-8"})
        for text in ("= 包含自 ", "首次定义在此处", "您是否想写 router_id？", "= 建议: "):
            check(text in err, "%s is missing: %s", text, err)

    # ---- where the catalog is

    def installed(self, catalog):
        """holdfast-conf as it is installed, with those bytes as its catalog (None: without)."""
        root = tempfile.mkdtemp(dir=self.folder)
        place = os.path.join(root, "share/locale/zh_CN/LC_MESSAGES")
        os.makedirs(os.path.join(root, "libexec/holdfast"))
        os.makedirs(place)
        os.chmod(root, 0o755)
        program = shutil.copy(self.conf, os.path.join(root, "libexec/holdfast/holdfast-conf"))
        if catalog is not None:
            with open(os.path.join(place, "holdfast.mo"), "wb") as f:
                f.write(catalog)
        status, _, err = self.run(program, "--test", "-f", self.wrong, env={"LANG": "zh_CN.UTF-8"})
        check(status == 5 and "[HF-KEYWORD]" in err, "exit status %d: %s", status, err)
        return bool(CJK.search(err))

    def test_places(self):
        """Installed: from share/locale. No catalog, or one that is damaged: English, and all else as ever."""
        with open(os.path.join(self.o.build, "locale/zh_CN/LC_MESSAGES/holdfast.mo"), "rb") as f:
            good = f.read()
        check(self.installed(good), "the installed catalog is not found")
        check(not self.installed(None), "Chinese without a catalog")
        for bad in (b"", good[:20], good[:-40], b"\0" * 4096, good[:16] + b"\xff" * 4 + good[20:], b"x" * (2 << 20)):
            check(not self.installed(bad), "Chinese from a damaged catalog of %d bytes", len(bad))

    def test_hostile_format(self):
        """A translation with other conversions than the English text is not used."""
        with open(PO, encoding="utf-8") as f:
            text = f.read()
        evil, n = re.subn(r'(msgid "unknown keyword %s %s"\nmsgstr )".*"', r'\1"%s%s%s%n 坏"', text)
        check(n == 1, "the text this test changes is not in the catalog")
        path = os.path.join(self.folder, "evil")
        subprocess.run(["msgfmt", "-o", path + ".mo", "-"], input=evil.encode(), check=True)
        with open(path + ".mo", "rb") as f:
            check(self.installed(f.read()), "the rest of the catalog is not used")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default=os.path.join(TOP, "build"))
    p.add_argument("--corpus", default=os.path.join(os.path.dirname(TOP), "shared/corpus"))
    p.add_argument("--only", default="")
    o = p.parse_args()
    o.build = os.path.abspath(o.build)
    shown = {"locale-" + n[5:].replace("_", "-"): getattr(Locale, n) for n in dir(Locale) if n.startswith("test_")}
    tests = [(label, fn) for label, fn in shown.items() if not o.only or label in o.only.split(",")]
    return 1 if suite.each(tests, lambda folder: Locale(o, folder)) else 0


if __name__ == "__main__":
    sys.exit(main())
