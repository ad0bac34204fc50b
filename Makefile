# evpipe
#
#   make            build the programs into bin/
#   make deps       install what is missing (as root, or by sudo)
#   make demo       watch events reach webhooks
#   make check      build and pass all tests
#   make bench      measure against the peers
#   make soak       SIGKILL by the hundred, over a million calls
#   make lint       shellcheck, mandoc, layering, manuals against usage texts
#   make fuzz       FUZZ_SECONDS=60 for each target
#   make install    PREFIX=/usr/local DESTDIR=; make uninstall takes it back
#
# CFLAGS, LDFLAGS are yours. WERROR=1 makes warnings errors; SAN=address,undefined
# builds with sanitizers, into a folder of its own. `make check ONLY=seed` runs
# the suites whose names hold that word.

VERSION = 0.1.0
# V=1 shows the commands.
Q = $(if $(V),,@echo "  $(if $(filter %.o,$@),CC,LD)  $@";)
PREFIX = /usr/local
DESTDIR =
CFLAGS = -O2 -g
FUZZ_SECONDS = 60

ifneq ($(filter deps,$(MAKECMDGOALS)),)

# The other goals in a make of their own, which finds what this one installs.
AFTER := $(filter-out deps,$(MAKECMDGOALS))
deps:
	@sh tests/helpers/deps.sh
$(AFTER): deps
	@+$(MAKE) --no-print-directory $@
.PHONY: deps $(AFTER)

else

comma := ,
ifeq ($(origin CC),default)
CC = cc
endif
VARIANT := $(notdir $(CC))$(if $(SAN),-$(subst $(comma),-,$(SAN)))
BUILD = .build/$(VARIANT)
BIN = $(if $(filter cc,$(VARIANT)),bin,$(BUILD)/bin)

PROGRAMS = ev-push ev-listen ev-pull ev-validate ev-map ev-route ev-deliver hook-admin hook-sink
MODULES = deliver store event net json base

# libjq before 1.7 has no .pc file.
PKGS = sqlite3 libcurl libpcre2-8 libssl libcrypto libidn2 libmd libmicrohttpd
# RabbitMQ's, if it is there; loaded when a queue is on a broker.
RABBITMQ := $(shell pkg-config --exists librabbitmq && echo yes)
LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null) \
	$(shell pkg-config --libs libjq 2>/dev/null || echo -ljq)

WARNINGS = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wwrite-strings -Wformat=2 -Wpointer-arith -Wvla -Wundef
EV_CPPFLAGS := -Isrc -I.build/gen -include src/base/banned.h -MMD -MP \
	-D_POSIX_C_SOURCE=200809L -D_XOPEN_SOURCE=700 \
	-DEV_VERSION='"$(VERSION)"' -DEV_DATADIR='"$(PREFIX)/share/evpipe"' \
	$(shell pkg-config --cflags $(PKGS) libjq 2>/dev/null || \
		pkg-config --cflags $(PKGS) 2>/dev/null)
EV_CFLAGS = -std=c11 -pthread -fno-strict-aliasing -fstack-protector-strong $(WARNINGS) \
	$(if $(WERROR),-Werror) \
	$(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)
EV_LDFLAGS = -Wl,--as-needed -Wl,-z,relro -Wl,-z,now \
	$(if $(SAN),-fsanitize=$(SAN))

SRC := $(wildcard src/*/*.c)
ifeq ($(RABBITMQ),yes)
EV_CPPFLAGS += -DEV_RABBITMQ
else
LEFT_OUT = src/store/amqp.c src/store/events_amqp.c src/store/letters.c
endif
CMD_SHARED := $(filter-out $(PROGRAMS:%=src/cmd/%.c),$(wildcard src/cmd/*.c))
ARCHIVES = $(MODULES:%=$(BUILD)/%.a)
UNITS := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(wildcard tests/unit/*.c))

COMPLETIONS = .build/completion/evpipe.bash .build/completion/evpipe.zsh

all: $(PROGRAMS:%=$(BIN)/%) $(COMPLETIONS)

# One pass over the archives, top layer first: a module that calls upwards
# does not link.
$(PROGRAMS:%=$(BIN)/%): $(BIN)/%: $(BUILD)/src/cmd/%.o $(BUILD)/cmd.a $(ARCHIVES)
	@mkdir -p $(@D)
	$(Q)$(CC) $(EV_CFLAGS) $(CFLAGS) $(EV_LDFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

ifeq ($(RABBITMQ),yes)
LATE = $(BUILD)/src/lazy/rabbitmq.o $(BUILD)/src/lazy/lazy.o
$(BIN)/ev-push $(BIN)/ev-listen $(BIN)/ev-pull: $(LATE)
endif

# Loads libcrypto when it is needed, which is seldom.
$(BIN)/hook-admin: $(BUILD)/src/lazy/crypto.o $(BUILD)/src/lazy/lazy.o

$(BUILD)/cmd.a: $(CMD_SHARED:%.c=$(BUILD)/%.o)
	@rm -f $@
	@$(AR) rcs $@ $^

define archive
$(BUILD)/$(1).a: $(patsubst %.c,$(BUILD)/%.o,$(filter-out $(LEFT_OUT),$(wildcard src/$(1)/*.c)))
	@rm -f $$@
	@$$(AR) rcs $$@ $$^
endef
$(foreach m,$(MODULES),$(eval $(call archive,$(m))))

# Said once and in words, before the compiler says it in a hundred lines.
$(BUILD)/libraries:
	@mkdir -p $(@D)
	@pkg-config --exists --print-errors $(PKGS) && \
	echo '#include <jq.h>' | $(CC) $(CPPFLAGS) -E -o /dev/null - || { \
		echo "make: something that evpipe is built from is missing:" \
			"run 'make deps'" >&2; exit 1; }
	@touch $@

# Another PREFIX is another default catalog: what has it compiled in follows.
$(BUILD)/prefix: FORCE
	@mkdir -p $(@D)
	@echo '$(PREFIX)' | cmp -s - $@ || echo '$(PREFIX)' >$@
$(patsubst %.c,$(BUILD)/%.o,$(wildcard src/cmd/*.c)): $(BUILD)/prefix
FORCE:

# The metaschemas as published, as string literals.
METASCHEMAS := $(wildcard src/json/metaschema/*.json src/json/metaschema/*/*.json)
.build/gen/metaschema.inc: $(METASCHEMAS)
	@mkdir -p $(@D)
	@for f in $(METASCHEMAS:src/json/metaschema/%.json=%); do \
		echo "{ SPAN(BASE \"$$f\"), SPAN("; \
		sed 's/["\\]/\\&/g; s/.*/"&\\n"/' src/json/metaschema/$$f.json; \
		echo ") },"; \
	done >$@.new && mv $@.new $@
$(BUILD)/src/json/metaschema.o: .build/gen/metaschema.inc

$(BUILD)/%.o: %.c | $(BUILD)/libraries
	@mkdir -p $(@D)
	$(Q)$(CC) $(EV_CPPFLAGS) $(EV_CFLAGS) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(BUILD)/unit/%: $(BUILD)/tests/unit/%.o $(ARCHIVES) $(LATE)
	@mkdir -p $(@D)
	$(Q)$(CC) $(EV_CFLAGS) $(CFLAGS) $(EV_LDFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

# Made of the manual pages' options and commands.
.build/completion/table: $(wildcard man/*.1) src/completion/page.awk
	@mkdir -p $(@D)
	@awk -f src/completion/page.awk $(filter %.1,$^) >$@.new && mv $@.new $@

$(COMPLETIONS): .build/completion/%: .build/completion/table \
		src/completion/fill.awk src/completion/%
	@awk -f $(word 2,$^) $< $(word 3,$^) >$@.new && mv $@.new $@

demo: all
	@bash examples/demo.sh $(abspath $(BIN))

# EV_SAN tells the suites that memory is not to be measured.
check: all $(UNITS)
	@EV_BIN=$(abspath $(BIN)) EV_UNITS="$(abspath $(UNITS))" EV_SAN="$(SAN)" \
		ONLY="$(ONLY)" bash tests/helpers/check.sh

bench: all
	@for b in tests/bench/*.sh; do \
		EV_BIN=$(abspath $(BIN)) bash $$b || exit 1; done

soak: all
	@for s in tests/soak/*.sh; do \
		EV_BIN=$(abspath $(BIN)) bash $$s || exit 1; done

lint: all
	@EV_BIN=$(abspath $(BIN)) EV_ARCHIVES="$(ARCHIVES)" \
		bash tests/helpers/lint.sh

# libFuzzer is clang's. What it finds stays in .build/fuzz.
FUZZERS := $(patsubst tests/fuzz/%.c,.build/fuzz/%,$(wildcard tests/fuzz/*.c))
fuzz: $(FUZZERS)
	@set -e; cd .build/fuzz; for f in $(notdir $(FUZZERS)); do \
		mkdir -p $$f.corpus; \
		sh $(CURDIR)/tests/fuzz/seeds.sh $$f $$f.corpus; \
		./$$f -max_total_time=$(FUZZ_SECONDS) -timeout=5 \
			-max_len=65536 $$f.corpus; \
	done

FUZZED := $(wildcard src/json/*.c src/base/*.c) \
	src/net/answer.c src/net/chunks.c src/net/field.c
.build/fuzz/%: tests/fuzz/%.c $(FUZZED) $(wildcard src/*/*.h) \
		.build/gen/metaschema.inc
	@mkdir -p $(@D)
	$(Q)clang $(EV_CPPFLAGS) -std=c11 -O1 -g -MF $@.d \
		-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
		-o $@ $< $(FUZZED) $(LIBS)

INSTALL = install
DATA = $(DESTDIR)$(PREFIX)/share
MAN := $(wildcard man/*.[157])
CATALOG := $(wildcard examples/catalog/*)

install: all
	$(INSTALL) -d $(DESTDIR)$(PREFIX)/bin $(DATA)/evpipe/catalog
	$(INSTALL) -m 755 $(PROGRAMS:%=$(BIN)/%) $(DESTDIR)$(PREFIX)/bin
	$(INSTALL) -m 644 $(CATALOG) $(DATA)/evpipe/catalog
	for m in $(MAN); do d=$(DATA)/man/man$${m##*.}; \
		$(INSTALL) -d $$d && $(INSTALL) -m 644 $$m $$d || exit 1; done
	$(INSTALL) -d $(DATA)/bash-completion/completions \
		$(DATA)/zsh/site-functions
	for p in $(PROGRAMS); do $(INSTALL) -m 644 .build/completion/evpipe.bash \
		$(DATA)/bash-completion/completions/$$p || exit 1; done
	$(INSTALL) -m 644 .build/completion/evpipe.zsh \
		$(DATA)/zsh/site-functions/_evpipe

uninstall:
	rm -f $(PROGRAMS:%=$(DESTDIR)$(PREFIX)/bin/%)
	rm -f $(foreach m,$(MAN),$(DATA)/man/man$(subst .,,$(suffix $(m)))/$(notdir $(m)))
	rm -f $(PROGRAMS:%=$(DATA)/bash-completion/completions/%)
	rm -f $(DATA)/zsh/site-functions/_evpipe
	rm -f $(CATALOG:examples/%=$(DATA)/evpipe/%)
	rmdir $(DATA)/evpipe/catalog $(DATA)/evpipe 2>/dev/null || :

clean:
	rm -rf .build $(PROGRAMS:%=bin/%)

.PHONY: FORCE all demo check bench soak lint fuzz install uninstall clean
.SECONDARY:
-include $(shell find $(BUILD) -type f -name '*.d' 2>/dev/null)

endif
