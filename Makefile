# evpipe
#
#   make            build the programs into bin/
#   make deps       install what is missing (as root, or by sudo)
#   make demo       watch events reach webhooks
#   make check      build and pass all tests
#   make bench      measure against the peers
#   make lint       warnings of two compilers, shellcheck, mandoc, layering
#   make fuzz       FUZZ_SECONDS=60 for each target
#   make install    PREFIX=/usr/local DESTDIR=
#
# CFLAGS, LDFLAGS are yours. WERROR=1 makes warnings errors; SAN=address,undefined
# builds with sanitizers, into a folder of its own.

VERSION = 0.1.0
# V=1 shows the commands.
Q = $(if $(V),,@echo "  $(if $(filter %.o,$@),CC,LD)  $@";)
PREFIX = /usr/local
DESTDIR =
CFLAGS = -O2 -g

comma := ,
ifeq ($(origin CC),default)
CC = cc
endif
VARIANT := $(notdir $(CC))$(if $(SAN),-$(subst $(comma),-,$(SAN)))
BUILD = .build/$(VARIANT)
BIN = $(if $(filter cc,$(VARIANT)),bin,$(BUILD)/bin)

PROGRAMS = ev-validate ev-map ev-route ev-deliver hook-admin hook-sink
MODULES = deliver store event net json base

# libjq before 1.7 has no .pc file.
PKGS = sqlite3 libcurl libpcre2-8 libcrypto libidn2
LIBS := $(shell pkg-config --libs $(PKGS)) \
	$(shell pkg-config --libs libjq 2>/dev/null || echo -ljq)

WARNINGS = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wwrite-strings -Wformat=2 -Wpointer-arith -Wvla -Wundef
EV_CPPFLAGS = -Isrc -include src/base/banned.h -MMD -MP \
	-D_POSIX_C_SOURCE=200809L -D_XOPEN_SOURCE=700 \
	-DEV_VERSION='"$(VERSION)"' -DEV_DATADIR='"$(PREFIX)/share/evpipe"' \
	$(shell pkg-config --cflags $(PKGS))
EV_CFLAGS = -std=c11 -fno-strict-aliasing -fstack-protector-strong $(WARNINGS) \
	$(if $(WERROR),-Werror) \
	$(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
EV_LDFLAGS = -Wl,--as-needed -Wl,-z,relro -Wl,-z,now \
	$(if $(SAN),-fsanitize=$(SAN))

SRC := $(wildcard src/*/*.c)
CMD_SHARED := $(filter-out $(PROGRAMS:%=src/cmd/%.c),$(wildcard src/cmd/*.c))
ARCHIVES = $(MODULES:%=$(BUILD)/%.a)
UNITS := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/*.c))

all: $(PROGRAMS:%=$(BIN)/%)

# One pass over the archives, top layer first: a module that calls upwards
# does not link.
$(PROGRAMS:%=$(BIN)/%): $(BIN)/%: $(BUILD)/src/cmd/%.o $(BUILD)/cmd.a $(ARCHIVES)
	@mkdir -p $(@D)
	$(Q)$(CC) $(EV_CFLAGS) $(CFLAGS) $(EV_LDFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/cmd.a: $(CMD_SHARED:%.c=$(BUILD)/%.o)
	@rm -f $@
	@$(AR) rcs $@ $^

define archive
$(BUILD)/$(1).a: $(patsubst %.c,$(BUILD)/%.o,$(wildcard src/$(1)/*.c))
	@rm -f $$@
	@$$(AR) rcs $$@ $$^
endef
$(foreach m,$(MODULES),$(eval $(call archive,$(m))))

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(EV_CPPFLAGS) $(EV_CFLAGS) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/unit/%: $(BUILD)/tests/unit/%.o $(ARCHIVES)
	@mkdir -p $(@D)
	$(Q)$(CC) $(EV_CFLAGS) $(CFLAGS) $(EV_LDFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

clean:
	rm -rf .build $(PROGRAMS:%=bin/%)

.PHONY: all clean
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
