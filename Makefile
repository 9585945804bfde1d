# Needs Go, and for some targets more: `make doctor` says what is missing and what for.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Which packages: make test PKGS=./tables/...
PKGS      ?= ./...
FUZZTIME  ?= 5s
BENCH     ?= .
BENCHTIME ?= 1s
COUNT     ?= 6
NAME      ?= local
ARGS      ?=

BENCH_PKGS := ./benchmarks/...
RESULTS    := benchmarks/results
BENCHSTAT  := golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da

KAFKA          := 4.3.0
KAFKA_LIBS     := .cache/kafka-$(KAFKA)
KAFKA_POM      := internal/kafkatest/kafka-pom.xml
KAFKA_MANIFEST := $(CURDIR)/internal/kafkatest/kafka-jars.sha256
MUSTANG          := 2.25.0
MUSTANG_LIBS     := .cache/mustang-$(MUSTANG)
MUSTANG_POM      := tools/ubl/mustang-pom.xml
MUSTANG_MANIFEST := $(CURDIR)/tools/ubl/mustang-jars.sha256
TWIN             := benchmarks/peers/twin
TWIN_LIBS        := .cache/kafka-streams-$(KAFKA)
TWIN_MANIFEST    := $(CURDIR)/$(TWIN)/twin-jars.sha256
JAVA_MIN       := 17
JAVA_INSTALL   := apt-get install -y default-jre-headless
JDK_INSTALL    := apt-get install -y default-jdk-headless
MVN_INSTALL    := apt-get install -y maven

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/chargestream
	CGO_ENABLED=0 go build -o bin/chargestream ./cmd/chargestream

.PHONY: demo
demo: build ## build and run the demo: everything in one process (ARGS="--http :9000")
	bin/chargestream demo $(ARGS)

.PHONY: test
test: ## run the tests: no network, no Java, no containers
	go test -timeout 10m $(PKGS)

# Each package once more with another seed, and many more draws. What fails prints its seed.
CHECKS ?= 2000
RANDOM_PKGS = $$(grep -rlE 'rapid\.Check|seeded\.' --include='*_test.go' . | xargs -n1 dirname | sort -u)

.PHONY: search
search: ## run the random tests with new seeds and many draws (CHECKS=20000)
	RAPID_CHECKS=$(CHECKS) go test -count=1 -timeout 60m $(RANDOM_PKGS)
	go test -count=1 -timeout 60m ./processors ./pricing -run Oracle \
		-oracle.seed $$(date +%s) -oracle.seeds $(CHECKS)

.PHONY: race
race: ## run the tests under the race detector (needs a C compiler)
	CGO_ENABLED=1 go test -race -timeout 15m $(PKGS)

# One package at a time: each starts brokers of its own, or shares CHARGESTREAM_TEST_BROKERS. The
# build before it keeps both cores busy, which -p 1 would not.
.PHONY: test-integration
test-integration: BROKERS = 1
test-integration: mustang-jars $(if $(CHARGESTREAM_TEST_BROKERS),,kafka-jars) need-java ## run the tests against a real Kafka (BROKERS=3 PKGS=./engine)
	go build -tags integration $(PKGS)
	CHARGESTREAM_TEST_NODES=$(BROKERS) go test -tags integration -count=1 -p 1 -timeout 30m $(PKGS)
	cd tools && go test -tags integration -count=1 ./...

# SEED=0 takes a seed from the clock; the log tells it.
SEED   ?= 0
EVENTS ?= 500000
KILLS  ?= 7

FAULTS = go test -tags "integration faults" -count=1 -timeout 60m -v ./internal/e2e \
	-faults.seed $(SEED) -faults.nodes $(BROKERS)

.PHONY: test-faults
test-faults: BROKERS = 1
test-faults: kafka-jars need-java ## disturb instances and a real Kafka, check every record (SEED BROKERS; long: KILLS=30 EVENTS=1500000)
	$(FAULTS) -run '^TestFaults$$' -faults.events $(EVENTS) -faults.kills $(KILLS)

.PHONY: test-cluster
test-cluster: BROKERS = 3
test-cluster: kafka-jars need-java ## disturb three brokers one by one, check every record (SEED): the short form of fault-table
	$(FAULTS) -run '^TestFaultTable$$' -faults.short

# ONLY selects faults by a part of their name.
ONLY ?=

.PHONY: fault-table
fault-table: BROKERS = 3
fault-table: kafka-jars need-java ## one fault after another: what happened, how long, what was said (SEED, BROKERS=1, ONLY=frozen)
	$(FAULTS) -run '^TestFaultTable$$' -faults.only '$(ONLY)'

# The marks compare what ran in one run of them: see benchmarks/marks/doc.go.
RUN        ?= .
KEYS       ?= 100000
ROWS       ?= 2000000
CPUPROFILE ?=

.PHONY: marks
marks: EVENTS = 2000000
marks: kafka-jars need-java ## measure the engine and stock goka on a real Kafka (RUN=fold, EVENTS, KEYS, ROWS, CPUPROFILE=dir)
	go build -o bin/marks ./benchmarks/marks
	bin/marks -run '$(RUN)' -events $(EVENTS) -keys $(KEYS) -rows $(ROWS) \
		-cpuprofile '$(CPUPROFILE)' -results $(RESULTS)/marks.txt $(ARGS)

# Beside other engines: see benchmarks/README.md. LOADS="burst latency" selects; ARGS="-repeat 3" and
# ARGS="-scale 0.01" are flags of the program.
LOADS ?=

.PHONY: bench-peers
bench-peers: build kafka-jars twin-jars need-java ## measure beside Kafka Streams and stock goka on a real Kafka (LOADS, ARGS)
	@if ! command -v javac >/dev/null; then \
		echo "a JDK is needed to compile the twin: $(JDK_INSTALL)" >&2; exit 1; \
	fi
	@mkdir -p bin/twin
	javac --release $(JAVA_MIN) -cp '$(TWIN_LIBS)/*' -d bin/twin $(TWIN)/src/main/java/peers/*.java
	go build -o bin/peers ./benchmarks/peers
	go build -o bin/marks ./benchmarks/marks
	bin/peers run -twin-jars $(TWIN_LIBS) -marks bin/marks -results $(RESULTS)/peers-$$(date +%F).jsonl $(ARGS) $(LOADS)

.PHONY: capacity
capacity: ## compute docs/capacity.md anew from results (FILE=benchmarks/results/peers-DATE.jsonl)
	@if [ -z "$(FILE)" ]; then echo "usage: make capacity FILE=$(RESULTS)/peers-DATE.jsonl" >&2; exit 2; fi
	@go run ./benchmarks/peers capacity $(FILE) > docs/capacity.md.new
	mv docs/capacity.md.new docs/capacity.md

.PHONY: need-java
need-java:
	@found=$$(java -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' || true); \
	if [ "$${found:-0}" -lt $(JAVA_MIN) ]; then \
		echo "Java $(JAVA_MIN) or newer is needed (found: $${found:-none}): $(JAVA_INSTALL)" >&2; \
		exit 1; \
	fi

# True when the directory $(1) holds exactly the jars of the manifest $(2).
complete = [ -d $(1) ] && cd $(1) && [ "$$(ls | wc -l)" = "$$(wc -l < $(2))" ] \
	&& sha256sum --check --quiet --strict $(2)

# Fetches the jars of $(1) that the pom $(2) resolves into $(3), once, and holds them against the
# manifest $(4).
define fetch
	@if ($(call complete,$(3),$(4))); then exit 0; fi; \
	if ! command -v mvn >/dev/null; then \
		echo "Maven is needed to fetch $(1): $(MVN_INSTALL)" >&2; \
		exit 1; \
	fi; \
	$(MAKE) --no-print-directory need-java; \
	echo "fetching $(1) into $(3)"; \
	part=$(3).part; \
	rm -rf $$part; \
	mvn -q -B -Dstyle.color=never -f $(2) dependency:copy-dependencies \
		-DincludeScope=runtime -DoutputDirectory=$(CURDIR)/$$part; \
	if ! ($(call complete,$$part,$(4))); then \
		echo "the jars in $$part are not those of $(4)" >&2; \
		exit 1; \
	fi; \
	rm -rf $(3); \
	mv $$part $(3)
endef

.PHONY: kafka-jars
kafka-jars: ## fetch the jars of the real Kafka into .cache, once (needs Maven)
	$(call fetch,Kafka $(KAFKA),$(KAFKA_POM),$(KAFKA_LIBS),$(KAFKA_MANIFEST))

.PHONY: twin-jars
twin-jars: ## fetch the jars of the Kafka Streams twin into .cache, once (needs Maven)
	$(call fetch,Kafka Streams $(KAFKA),$(TWIN)/pom.xml,$(TWIN_LIBS),$(TWIN_MANIFEST))

.PHONY: mustang-jars
mustang-jars: ## fetch the validator of e-invoices into .cache, once (needs Maven)
	$(call fetch,Mustang $(MUSTANG),$(MUSTANG_POM),$(MUSTANG_LIBS),$(MUSTANG_MANIFEST))

.PHONY: check-invoices
check-invoices: mustang-jars need-java ## validate e-invoices by the rules of EN 16931
	go test -tags integration -count=1 -run '^TestUBLValid$$' ./documents

.PHONY: lint
lint: ## check formatting, and vet with and without the integration tag
	@unformatted=$$(gofmt -l .); \
	if [ -n "$$unformatted" ]; then \
		echo "not formatted (gofmt -w):" >&2; echo "$$unformatted" >&2; exit 1; \
	fi
	go vet $(PKGS)
	go vet -tags "integration faults" $(PKGS)

.PHONY: generate
generate: ## make the generated code anew (needs the network, once)
	go generate ./...

.PHONY: tidy-check
tidy-check: ## check that go.mod and go.sum are what go mod tidy makes of them
	go mod tidy -diff
	go mod verify

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME
	@dirs=$$(go list -f '{{.Dir}}' $(PKGS)); \
	for dir in $$dirs; do \
		if ! grep -qs '^func Fuzz' "$$dir"/*_test.go; then continue; fi; \
		targets=$$(go test -list '^Fuzz' "$$dir" | grep '^Fuzz'); \
		for target in $$targets; do \
			echo "$$target in $${dir#$(CURDIR)/}"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$dir"; \
		done; \
	done

.PHONY: bench
bench: ## run the benchmarks into benchmarks/results/NAME.txt
	@mkdir -p $(RESULTS)
	go test -run '^$$' -bench '$(BENCH)' -benchmem -benchtime $(BENCHTIME) -count $(COUNT) \
		$(BENCH_PKGS) | tee $(RESULTS)/$(NAME).txt

.PHONY: bench-smoke
bench-smoke: ## run each benchmark once and keep nothing
	go test -run '^$$' -bench . -benchmem -benchtime 1x $(BENCH_PKGS)

.PHONY: bench-compare
bench-compare: ## compare two results by name (OLD=v1 NEW=local)
	@if [ -z "$(OLD)" ] || [ -z "$(NEW)" ]; then \
		echo "usage: make bench-compare OLD=name NEW=name (of $(RESULTS)/name.txt)" >&2; exit 2; \
	fi
	go run $(BENCHSTAT) $(RESULTS)/$(OLD).txt $(RESULTS)/$(NEW).txt

.PHONY: check-deploy
check-deploy: ## check docker-compose.yml and what it mounts, without a container engine
	cd tools && go test ./...

.PHONY: doctor
doctor: ## print the tools found, and which targets miss one
	@look() { \
		if found=$$($$2 2>&1 | awk '/[0-9]/ && !n++'); then printf '  %-5s %s\n' "$$1" "$$found"; \
		else printf '  %-5s missing: %s; install: %s\n' "$$1" "$$3" "$$4"; fi; }; \
	look go 'go version' 'every target' 'https://go.dev/dl'; \
	look gcc 'gcc --version' 'make race' 'apt-get install -y gcc libc6-dev'; \
	look java 'java -version' 'make test-integration' '$(JAVA_INSTALL)'; \
	look javac 'javac -version' 'make bench-peers' '$(JDK_INSTALL)'; \
	look mvn 'mvn -B -Dstyle.color=never --version' 'make kafka-jars (once)' '$(MVN_INSTALL)'
	@if ($(call complete,$(KAFKA_LIBS),$(KAFKA_MANIFEST))) >/dev/null 2>&1; \
	then echo "  kafka $(KAFKA) in $(KAFKA_LIBS)"; \
	else echo "  kafka $(KAFKA) not fetched yet: make kafka-jars"; fi

.PHONY: clean-tree
clean-tree: ## check that nothing in the work tree differs from the commit
	@changed=$$(git status --porcelain); \
	if [ -n "$$changed" ]; then \
		echo "the work tree is not clean:" >&2; echo "$$changed" >&2; exit 1; \
	fi

.PHONY: ci
ci: ## run what continuous integration runs, and install nothing
	CHARGESTREAM_CI_INSTALL=no bash .ci/run

.PHONY: clean
clean: ## remove what was built; the fetched jars stay
	rm -rf bin
	rm -f $(RESULTS)/local.txt
