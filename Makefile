# make run | test | fuzz | bench | lint | geoip-update | clean – see README.md

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := run
.PHONY: run test fuzz bench lint geoip-update clean scoreboard

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# sudo make run in somebody's own directory: the environment is built by, and belongs to, that somebody and not root.
AS_USER := $(shell if [ "$$(id -u)" = 0 ] && [ -n "$${SUDO_UID:-}" ] && [ "$${SUDO_UID:-0}" != 0 ] \
	&& [ "$$(stat -c %u . 2>/dev/null)" = "$$SUDO_UID" ] && command -v setpriv >/dev/null; then \
	echo "env HOME=$$(getent passwd $$SUDO_UID | cut -d: -f6) setpriv --reuid=$$SUDO_UID --regid=$${SUDO_GID:-$$SUDO_UID} --clear-groups"; fi)

# nDPI is optional: without it applications are named by what the inspectors read.
NDPI := $(AS_USER) $(PIP) --no-deps --only-binary :all: -r requirements-ndpi.txt 2>/dev/null || echo "nDPI could not be installed; fewer applications are named"

# An environment is made where there is none that works for the user who needs it.
define environment
if ! $(AS_USER) $(BIN)/python -c '' 2>/dev/null; then \
	echo "Creating the Python environment .venv"; \
	$(AS_USER) $(PYTHON) -m venv --clear .venv || { echo "netglass: Python's venv module is needed (Debian: apt install python3-venv)" >&2; exit 1; }; \
fi
endef

run: $(BIN)/.installed-run
	@[ -z "$(AS_USER)" ] || $(AS_USER) $(BIN)/python -m compileall -q app config.py wsgi.py # or root's part would leave root's files
	@$(BIN)/python -m app.launcher warm
	@exec $(BIN)/python wsgi.py

test: $(BIN)/.installed-dev
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		missing=(); \
		for pair in chromium:chromium tshark:tshark tcpdump:tcpdump tcpreplay:tcpreplay ip:iproute2 tmux:tmux nmap:nmap hping3:hping3; do \
			command -v "$${pair%%:*}" >/dev/null || missing+=("$${pair##*:}"); \
		done; \
		if [ "$${#missing[@]}" -gt 0 ]; then \
			echo "Installing what some tests need: $${missing[*]}"; \
			{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$${missing[@]}"; } >/dev/null 2>&1 \
				|| echo "Could not install $${missing[*]}; the tests that need it are skipped, and say so."; \
		fi; \
	fi
	@exec $(BIN)/python -m pytest

# Made-up input, new in each run; `make test` takes the same each time
fuzz: $(BIN)/.installed-dev
	@HYPOTHESIS_PROFILE=fresh $(BIN)/python -m pytest -m hypothesis $(ARGS)

bench: $(BIN)/.installed-run
	@exec $(BIN)/python -m bench

# Detectors against labelled captures: make scoreboard CAPTURES=dir TRUTH=dir
CAPTURES ?= ../shared/pcaps
TRUTH ?= ../shared/truth
scoreboard: $(BIN)/.installed-run
	@exec $(BIN)/python -m bench.scoreboard $(CAPTURES) $(TRUTH)

lint: $(BIN)/.installed-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

# Fetches newer tables of countries, autonomous systems and makers of network cards (npm); nothing else ever does.
geoip-update: $(BIN)/.installed-run
	@$(AS_USER) $(BIN)/python -m app.enrich.update

clean:
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis data/cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/.installed-run: requirements.txt requirements-ndpi.txt
	@$(environment)
	@echo "Installing requirements.txt"
	@$(AS_USER) $(PIP) -r requirements.txt
	@$(NDPI)
	@$(AS_USER) touch $@

$(BIN)/.installed-dev: requirements.txt requirements-ndpi.txt requirements-dev.txt
	@$(environment)
	@echo "Installing requirements-dev.txt"
	@$(AS_USER) $(PIP) -r requirements-dev.txt
	@$(NDPI)
	@$(AS_USER) touch $@ $(BIN)/.installed-run
