# The image of chargestream: one static binary, no shell, no package manager.
FROM golang:1.26 AS build
WORKDIR /src
# The modules first, so that a change of the sources does not fetch them again.
COPY go.mod go.sum ./
RUN go mod download
COPY . .
# Time zones are embedded in the binary; tariffs and days must not depend on the host's.
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /out/chargestream ./cmd/chargestream
# An empty folder to copy: the volume over it takes its owner, who is not root.
RUN mkdir -p /out/state

FROM scratch
# For brokers behind TLS.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/chargestream /usr/local/bin/chargestream
COPY --from=build --chown=65532:65532 /out/state /var/lib/chargestream
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/chargestream"]
CMD ["--help"]
