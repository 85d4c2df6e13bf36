# holdfast - one non-recursive Makefile. Sources are found by folder: a folder is a role, a role is a binary.
# main.c of a role holds main() and is left out of the role's library, so tests can link everything else.
# Variants (sanitizers, fuzzers) are the same file with another build folder: $(MAKE) B=build/asan SAN=...

B        ?= build
PREFIX   ?= /usr
SYSCONF  ?= /etc
DESTDIR  ?=
CC       := $(if $(filter default,$(origin CC)),gcc,$(CC))
V        ?= 0
Q        := $(if $(filter 0,$(V)),@)
say       = $(if $(filter 0,$(V)),@echo "  $(1)")
PYTHON   ?= python3
FUZZ_SECONDS ?= 60
SOAK_SECONDS ?= 3600
PKGS_CTL := libnl-3.0 libnl-route-3.0
PKGS_IPVSD := libnl-3.0 libnl-route-3.0 libnl-genl-3.0 libnftnl
WARN     := -Wall -Wextra -Wconversion -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wundef
WERROR   ?= -Werror
HARDEN   := -fPIE -fstack-protector-strong -fstack-clash-protection -D_FORTIFY_SOURCE=2
OPT      ?= -O2 -g
SAN      ?=
# a fifteenth to a tenth of holdfast-conf's time; clang would need a linker Debian does not install beside it
LTO      ?= $(if $(SAN)$(findstring clang,$(CC)),,-flto=auto)
CFLAGS   += -std=c17 -D_GNU_SOURCE -I. $(WARN) $(WERROR) $(OPT) $(LTO) $(SAN) $(if $(SAN),,$(HARDEN)) -MMD -MP
LDFLAGS  += -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(LTO) $(SAN)
ROLES    := parent conf lean ctl vrrpd checkd ipvsd genhash prio filelog metrics dbus snmp

DIR_parent := parent
DIR_conf   := parent/conf
DIR_lean   := parent/conf/lean
DIR_ctl    := parent/ctl
DIR_vrrpd  := vrrpd
DIR_checkd := checkd
DIR_ipvsd  := ipvsd
DIR_genhash := checkd/genhash
DIR_prio   := parent/prio
DIR_metrics := parent/metrics
BIN_metrics := holdfast-metrics
DIR_snmp := parent/snmp
BIN_snmp := holdfast-snmp
HAVE_SNMP := $(shell pkg-config --exists netsnmp-agent 2>/dev/null && echo yes)
LIBS_snmp := $(if $(HAVE_SNMP),-lnetsnmpmibs -lnetsnmpagent -lnetsnmp)
USES_snmp := ctl
DIR_dbus   := parent/dbus
BIN_dbus   := holdfast-dbus
BIN_parent := holdfast
BIN_conf   := holdfast-conf
BIN_lean   := holdfast-conf-lean
BIN_ctl    := holdctl
BIN_vrrpd  := holdfast-vrrpd
BIN_checkd := holdfast-checkd
BIN_ipvsd  := holdfast-ipvsd
BIN_genhash := genhash
BIN_prio   := holdfast-prio
DIR_filelog := parent/filelog
BIN_filelog := holdfast-log
LIBS_common := -lcap-ng -lseccomp
LIBS_ipvsd := $(shell pkg-config --libs $(PKGS_IPVSD) 2>/dev/null)
LIBS_genhash := -lssl -lcrypto
USES_genhash := checkd
USES_metrics := ctl
USES_dbus := ctl
USES_conf := checkd
USES_lean := conf
USES_ctl := parent vrrpd
LIBS_dbus := $(shell pkg-config --libs libsystemd 2>/dev/null)
LIBS_vrrpd := -lcrypto
LIBS_checkd := -lssl -lcrypto -lpcre2-8
LIBS_conf := -ljansson -lssl -lcrypto -lpcre2-8
LIBS_ctl := -ljansson $(shell pkg-config --libs $(PKGS_CTL) 2>/dev/null)
CFLAGS_parent := $(shell pkg-config --cflags $(PKGS_CTL) 2>/dev/null)
CFLAGS_ipvsd := $(shell pkg-config --cflags $(PKGS_IPVSD) 2>/dev/null)
LIBS_ALL = $(LIBS_common) $(LIBS_snmp) $(LIBS_dbus) $(LIBS_ipvsd) $(LIBS_genhash) $(LIBS_checkd) $(LIBS_ctl)

SRC_common := $(wildcard common/*.c common/schema/*.c)
define role_sources
SRC_$(1) := $(filter-out %/main.c,$(wildcard $(DIR_$(1))/*.c))
MAIN_$(1) := $(wildcard $(DIR_$(1))/main.c)
endef
$(foreach r,$(ROLES),$(eval $(call role_sources,$(r))))
# AgentX is optional as well: without net-snmp's library (libsnmp-dev) everything else is built.
ifneq ($(HAVE_SNMP),yes)
$(info note: no netsnmp-agent for pkg-config, so holdfast-snmp is left out)
SRC_snmp := $(filter-out %/agent.c %/trap.c %/snmp.c,$(SRC_snmp))
MAIN_snmp :=
endif
# sd-bus is optional: without it (libsystemd-dev) everything else is built.
ifeq ($(LIBS_dbus),)
$(info note: no libsystemd for pkg-config, so holdfast-dbus is left out)
SRC_dbus := $(filter-out parent/dbus/bus.c,$(SRC_dbus))
MAIN_dbus :=
endif

obj = $(patsubst %.c,$(B)/o/%.o,$(1))
SRC_ALL := $(SRC_common) $(foreach r,$(ROLES),$(SRC_$(r)) $(MAIN_$(r)))
BINS := $(foreach r,$(ROLES),$(if $(MAIN_$(r)),$(B)/$(BIN_$(r))))
LIBS_A := $(B)/libcommon.a $(foreach r,$(ROLES),$(if $(SRC_$(r)),$(B)/lib$(r).a))
GROUP = -Wl,--start-group $(LIBS_A) -Wl,--end-group

# Catalogs of messages, found beside the binaries (parent/conf/locale.c). Without msgfmt there are none, and messages are English.
MSGFMT   := $(shell command -v msgfmt 2>/dev/null)
LANGS    := $(patsubst etc/po/%.po,%,$(wildcard etc/po/*.po))
CATALOGS := $(if $(MSGFMT),$(LANGS:%=$(B)/locale/%/LC_MESSAGES/holdfast.mo))

all: $(BINS) $(CATALOGS)

$(CATALOGS): $(B)/locale/%/LC_MESSAGES/holdfast.mo: etc/po/%.po
	@mkdir -p $(@D)
	$(call say,MSGFMT $@)
	$(Q)$(MSGFMT) --check -o $@ $<
$(B)/$(BIN_conf): | $(CATALOGS)

$(B)/o/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC $<)
	$(Q)$(CC) $(CFLAGS) $(CFLAGS_$(firstword $(subst /, ,$*))) -c -o $@ $<

$(B)/libcommon.a: $(call obj,$(SRC_common))
	@rm -f $@
	@ar rcs $@ $^

define role_rules
ifneq ($(SRC_$(1)),)
$(B)/lib$(1).a: $(call obj,$(SRC_$(1)))
	@rm -f $$@
	@ar rcs $$@ $$^
endif
$(B)/$(BIN_$(1)): $(call obj,$(MAIN_$(1))) $(if $(SRC_$(1)),$(B)/lib$(1).a) $(foreach u,$(USES_$(1)),$(B)/lib$(u).a) $(B)/libcommon.a
	$$(call say,LD $$@)
	$(Q)$(CC) $(LDFLAGS) -o $$@ $$^ $(LIBS_common) $(LIBS_$(1))
endef
$(foreach r,$(ROLES),$(if $(MAIN_$(r)),$(eval $(call role_rules,$(r)))))

# ---- tests: programs ------------------------------------------------------------------------------------------
# unit: test/unit/test_X.c, one cmocka binary each; test/X/*.c of the lanes below make one binary, all with every role's library.
UNIT := $(patsubst test/unit/%.c,$(B)/test/%,$(sort $(wildcard test/unit/test_*.c)))
SRC_false := $(wildcard test/false/*.c)
SRC_sim := $(wildcard test/sim/*.c) $(SRC_false)
SRC_jail := $(wildcard test/jail/*.c)
SIM  := $(if $(SRC_sim),$(B)/test/sim)
JAIL := $(if $(SRC_jail),$(B)/test/jail-probe)
FUZZ := $(patsubst test/fuzz/%.c,$(B)/test/%,$(sort $(wildcard test/fuzz/fuzz_*.c)))

$(B)/o/test/unit/%.o: CFLAGS += $(CFLAGS_ipvsd)
$(B)/o/test/sim/%.o: CFLAGS += $(CFLAGS_ipvsd)
$(B)/o/test/fuzz/%.o: CFLAGS += $(CFLAGS_ipvsd)
# On a stack of its own in shared memory, until its exec: what a sanitizer would note there about the stack is wrong.
$(B)/o/parent/script_child.o $(B)/o/parent/script_walk.o: CFLAGS += -fno-sanitize=all

$(B)/test/test_vrrpd $(B)/test/test_vrrpd_told: $(call obj,$(SRC_false)) # the process around it, false
$(UNIT): $(B)/test/%: $(B)/o/test/unit/%.o $(LIBS_A)
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(GROUP) -lcmocka $(LIBS_ALL)
$(B)/test/sim: $(call obj,$(SRC_sim)) $(LIBS_A)
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $(call obj,$(SRC_sim)) $(GROUP) $(LIBS_ALL)
$(B)/test/jail-probe: $(call obj,$(SRC_jail)) $(B)/libcommon.a
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_common)
$(FUZZ): $(B)/test/%: $(B)/o/test/fuzz/%.o $(LIBS_A)
	@mkdir -p $(@D)
	$(call say,LD $@)
	$(Q)$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $< $(GROUP) $(LIBS_ALL)

unit-bins: $(UNIT)
sim-bin: $(SIM)
jail-bin: $(JAIL)
fuzz-bins: $(FUZZ)
.SECONDARY: $(patsubst test/%.c,$(B)/o/test/%.o,$(wildcard test/unit/*.c test/fuzz/*.c))

# ---- tests: lanes. test/run builds what a lane needs, runs it, counts, and says at the end how many passed and failed --------
LANE = $(PYTHON) test/run --build $(B) --fuzz-seconds $(FUZZ_SECONDS) --soak-seconds $(SOAK_SECONDS)

deps:
	test/deps
test: deps
	@rm -f $(B)/test/summary
	@$(PYTHON) test/run --build $(B) $(TEST_FLAGS)
unit sim script net vm lvs soak jail chaos corpus tools suite fuzz:
	@$(LANE) --lanes $@ --full
lint:
	@$(PYTHON) test/run --build $(B) --lanes lint
demo: deps
	@$(MAKE) --no-print-directory all
	@$(PYTHON) test/demo/run.py --daemon $(B)/holdfast
	@$(PYTHON) test/demo/lvs.py --daemon $(B)/holdfast
bench: all
	@$(PYTHON) test/bench/run.py --daemon $(B)/holdfast

# ---- installation ---------------------------------------------------------------------------------------------
SBINDIR := $(DESTDIR)$(PREFIX)/sbin
BINDIR  := $(DESTDIR)$(PREFIX)/bin
LIBEXEC := $(DESTDIR)$(PREFIX)/libexec/holdfast
UNITDIR := $(DESTDIR)$(PREFIX)/lib/systemd/system
USERDIR := $(DESTDIR)$(PREFIX)/lib/sysusers.d
TMPFDIR := $(DESTDIR)$(PREFIX)/lib/tmpfiles.d
BUSDIR  := $(DESTDIR)$(PREFIX)/share/dbus-1/system.d
DOCDIR  := $(DESTDIR)$(PREFIX)/share/doc/holdfast
LOCALEDIR := $(DESTDIR)$(PREFIX)/share/locale
BASHDIR := $(DESTDIR)$(PREFIX)/share/bash-completion/completions
ZSHDIR  := $(DESTDIR)$(PREFIX)/share/zsh/vendor-completions
FISHDIR := $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
COMPLETIONS := $(addprefix $(B)/completions/holdctl.,bash zsh fish)
MANDIR  := $(DESTDIR)$(PREFIX)/share/man
MANS_NOT := $(foreach r,snmp dbus,$(if $(MAIN_$(r)),,$(B)/man/holdfast-$(r).8))
MANS    := $(filter-out $(MANS_NOT),$(patsubst etc/man/%.in,$(B)/man/%,$(sort $(wildcard etc/man/*.in))))
MANS_OF  = $(filter %.$(1),$(MANS))
CHILDREN := $(filter-out $(B)/holdfast $(B)/holdctl $(B)/genhash,$(BINS))

# Made by the program they are for, from its own tables: never behind it.
$(COMPLETIONS): $(B)/completions/holdctl.%: $(B)/holdctl
	@mkdir -p $(@D)
	$(Q)$(B)/holdctl completion $* > $@
completions: $(COMPLETIONS)

# So are the manual pages: keywords, commands and options come out of the tables (parent/man), the rest stands in etc/man.
$(B)/mkman: $(B)/o/parent/man/main.o $(B)/libparent.a $(B)/libcommon.a
	$(call say,LD $@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS_common)
$(MANS): $(B)/man/%: etc/man/%.in $(B)/mkman
	@mkdir -p $(@D)
	$(Q)$(B)/mkman $< > $@
man: $(MANS)

install: all completions man
	install -d $(MANDIR)/man1 $(MANDIR)/man5 $(MANDIR)/man8
	install -m 0644 $(call MANS_OF,1) $(MANDIR)/man1/
	install -m 0644 $(call MANS_OF,5) $(MANDIR)/man5/
	install -m 0644 $(call MANS_OF,8) $(MANDIR)/man8/
	install -d $(BASHDIR) $(ZSHDIR) $(FISHDIR)
	install -m 0644 $(B)/completions/holdctl.bash $(BASHDIR)/holdctl
	install -m 0644 $(B)/completions/holdctl.zsh $(ZSHDIR)/_holdctl
	install -m 0644 $(B)/completions/holdctl.fish $(FISHDIR)/holdctl.fish
	install -d $(SBINDIR) $(BINDIR) $(LIBEXEC) $(UNITDIR) $(USERDIR) $(DOCDIR)
	install -m 0755 $(B)/holdfast $(SBINDIR)/
	install -m 0755 $(wildcard $(filter %/holdctl %/genhash,$(BINS))) $(BINDIR)/
	install -m 0755 $(CHILDREN) $(LIBEXEC)/
	$(foreach c,$(CATALOGS),install -D -m 0644 $(c) $(c:$(B)/locale/%=$(LOCALEDIR)/%);)
	sed 's,@PREFIX@,$(PREFIX),g; s,@SYSCONF@,$(SYSCONF),g' etc/holdfast.service > $(UNITDIR)/holdfast.service
	sed 's,@PREFIX@,$(PREFIX),g' etc/holdfast-metrics.service > $(UNITDIR)/holdfast-metrics.service
	chmod 0644 $(UNITDIR)/holdfast.service $(UNITDIR)/holdfast-metrics.service
	install -D -m 0644 etc/keepalived.service.conf $(UNITDIR)/keepalived.service.d/holdfast.conf
ifeq ($(HAVE_SNMP),yes)
	sed 's,@PREFIX@,$(PREFIX),g' etc/holdfast-snmp.service > $(UNITDIR)/holdfast-snmp.service
	chmod 0644 $(UNITDIR)/holdfast-snmp.service
	install -D -m 0644 etc/holdfast-snmp.tmpfiles $(TMPFDIR)/holdfast-snmp.conf
endif
ifneq ($(LIBS_dbus),)
	install -d $(BUSDIR)
	sed 's,@PREFIX@,$(PREFIX),g' etc/holdfast-dbus.service > $(UNITDIR)/holdfast-dbus.service
	chmod 0644 $(UNITDIR)/holdfast-dbus.service
	install -m 0644 etc/holdfast-dbus.conf $(BUSDIR)/
endif
	install -m 0644 etc/holdfast.sysusers $(USERDIR)/holdfast.conf
	install -m 0644 etc/holdfast.conf.sample etc/grafana/holdfast.json etc/prometheus/holdfast.rules.yml etc/prometheus/scrape.yml $(DOCDIR)/
	install -m 0644 LICENSE $(wildcard README.md CHANGELOG.md) $(DOCDIR)/
	install -d $(DOCDIR)/doc
	install -m 0644 $(wildcard doc/*.md) $(DOCDIR)/doc/
	@[ -n "$(DESTDIR)" ] || test/deps --users-only
	@echo "installed; the configuration is $(SYSCONF)/keepalived/keepalived.conf; a sample: $(PREFIX)/share/doc/holdfast/holdfast.conf.sample"

# The configuration and the system users stay: they are the administrator's.
uninstall:
	rm -f $(SBINDIR)/holdfast $(BINDIR)/holdctl $(BINDIR)/genhash
	rm -f $(UNITDIR)/holdfast-snmp.service $(TMPFDIR)/holdfast-snmp.conf
	rm -f $(BUSDIR)/holdfast-dbus.conf $(UNITDIR)/holdfast-dbus.service
	rm -f $(UNITDIR)/holdfast.service $(UNITDIR)/holdfast-metrics.service $(UNITDIR)/keepalived.service.d/holdfast.conf $(USERDIR)/holdfast.conf
	[ ! -d $(UNITDIR)/keepalived.service.d ] || rmdir --ignore-fail-on-non-empty $(UNITDIR)/keepalived.service.d
	rm -rf $(LIBEXEC) $(DOCDIR)
	rm -f $(LANGS:%=$(LOCALEDIR)/%/LC_MESSAGES/holdfast.mo)
	rm -f $(BASHDIR)/holdctl $(ZSHDIR)/_holdctl $(FISHDIR)/holdctl.fish
	rm -f $(foreach s,1 5 8,$(addprefix $(MANDIR)/man$(s)/,$(notdir $(call MANS_OF,$(s)))))

# ---- Debian packages: etc/debian, put together with the sources under $(B)/deb and built there -------------------
VERSION  := $(shell sed -n 's/^.define OPTIONS_VERSION *"\(.*\)"/\1/p' parent/options.h)
DEB_TREE := $(B)/deb/holdfast-$(VERSION)
DEB_PARTS := CHANGELOG.md LICENSE Makefile README.md checkd common doc etc ipvsd parent vrrpd

deb:
	@command -v dpkg-buildpackage >/dev/null && command -v dh >/dev/null || { echo "make deb: apt-get install dpkg-dev debhelper" >&2; exit 1; }
	@rm -rf $(B)/deb
	@mkdir -p $(DEB_TREE)
	@cp -a $(DEB_PARTS) $(DEB_TREE)/
	@mv $(DEB_TREE)/etc/debian $(DEB_TREE)/debian
	@printf 'holdfast (%s) unstable; urgency=medium\n\n  * See CHANGELOG.md.\n\n -- %s  %s\n' '$(VERSION)' \
		"$$(sed -n 's/^Maintainer: //p' etc/debian/control)" "$$(date -R -r CHANGELOG.md)" > $(DEB_TREE)/debian/changelog
	@cd $(DEB_TREE) && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u B dpkg-buildpackage -b -us -uc -j$$(nproc)
	@ls -l $(B)/deb/*.deb
package: # installed, upgraded, removed on a clean root file system; not part of make test: it fetches one (once)
	@$(LANE) --lanes package

clean:
	rm -rf $(B)

.PHONY: all clean completions man deb deps demo test unit fuzz sim script net vm lvs soak chaos jail corpus suite tools bench lint install uninstall package unit-bins sim-bin jail-bin fuzz-bins
.DELETE_ON_ERROR:
-include $(patsubst %.c,$(B)/o/%.d,$(SRC_ALL) parent/man/main.c $(wildcard test/unit/*.c test/sim/*.c test/false/*.c test/jail/*.c test/fuzz/*.c))
