# holdfast - one non-recursive Makefile. Sources are found by folder: a folder is a role, a role is a binary.
# main.c of a role holds main() and is left out of the role's library, so tests can link everything else.

B        ?= build
PREFIX   ?= /usr
SYSCONF  ?= /etc
CC       ?= gcc
PKGS_IPVSD := libnl-3.0 libnl-route-3.0 libnl-genl-3.0
WARN     := -Wall -Wextra -Wconversion -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wundef
WERROR   ?= -Werror
HARDEN   := -fPIE -fstack-protector-strong -fstack-clash-protection -D_FORTIFY_SOURCE=2
OPT      ?= -O2 -g
SAN      ?=
CFLAGS   += -std=c17 -D_GNU_SOURCE -I. $(WARN) $(WERROR) $(OPT) $(SAN) $(if $(SAN),,$(HARDEN)) -MMD -MP
LDFLAGS  += -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(SAN)
ROLES    := parent conf ctl vrrpd checkd ipvsd genhash

DIR_parent := parent
DIR_conf   := parent/conf
DIR_ctl    := parent/ctl
DIR_vrrpd  := vrrpd
DIR_checkd := checkd
DIR_ipvsd  := ipvsd
DIR_genhash := checkd/genhash
BIN_parent := holdfast
BIN_conf   := holdfast-conf
BIN_ctl    := holdctl
BIN_vrrpd  := holdfast-vrrpd
BIN_checkd := holdfast-checkd
BIN_ipvsd  := holdfast-ipvsd
BIN_genhash := genhash
LIBS_common := -lcap-ng -lseccomp
LIBS_ipvsd := $(shell pkg-config --libs $(PKGS_IPVSD) 2>/dev/null)
LIBS_genhash := -lssl -lcrypto
LIBS_checkd :=
LIBS_conf := -ljansson
LIBS_ctl := -ljansson
CFLAGS_ipvsd := $(shell pkg-config --cflags $(PKGS_IPVSD) 2>/dev/null)

SRC_common := $(wildcard common/*.c common/schema/*.c)
define role_sources
SRC_$(1) := $(filter-out %/main.c,$(wildcard $(DIR_$(1))/*.c))
MAIN_$(1) := $(wildcard $(DIR_$(1))/main.c)
endef
$(foreach r,$(ROLES),$(eval $(call role_sources,$(r))))

obj = $(patsubst %.c,$(B)/o/%.o,$(1))
BINS := $(foreach r,$(ROLES),$(if $(MAIN_$(r)),$(B)/$(BIN_$(r))))
LIBS_A := $(B)/libcommon.a $(foreach r,$(ROLES),$(if $(SRC_$(r)),$(B)/lib$(r).a))

all: $(BINS)

$(B)/o/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(CFLAGS_$(firstword $(subst /, ,$*))) -c -o $@ $<

$(B)/libcommon.a: $(call obj,$(SRC_common))
	@rm -f $@
	ar rcs $@ $^

define role_rules
ifneq ($(SRC_$(1)),)
$(B)/lib$(1).a: $(call obj,$(SRC_$(1)))
	@rm -f $$@
	ar rcs $$@ $$^
endif
$(B)/$(BIN_$(1)): $(call obj,$(MAIN_$(1))) $(if $(SRC_$(1)),$(B)/lib$(1).a) $(B)/libcommon.a
	$(CC) $(LDFLAGS) -o $$@ $$^ $(LIBS_common) $(LIBS_$(1))
endef
$(foreach r,$(ROLES),$(if $(MAIN_$(r)),$(eval $(call role_rules,$(r)))))

# unit tests: test/unit/test_X.c, one cmocka binary each, linked with every role library
UNIT := $(patsubst test/unit/%.c,$(B)/test/%,$(wildcard test/unit/test_*.c))
$(B)/test/%: test/unit/%.c $(LIBS_A) Makefile
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(CFLAGS_ipvsd) $(LDFLAGS) -o $@ $< -Wl,--start-group $(LIBS_A) -Wl,--end-group -lcmocka $(LIBS_common) $(LIBS_ipvsd) $(LIBS_genhash) $(LIBS_ctl)
unit: $(UNIT)
	@set -e; for t in $(UNIT); do echo "== $$t"; $$t; done

clean:
	rm -rf $(B)

.PHONY: all clean unit
.DELETE_ON_ERROR:
-include $(shell find $(B) -name '*.d' 2>/dev/null)
