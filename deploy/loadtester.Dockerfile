# The load tester, with the programs that hooks of the documents call: hey, ghz, helm (also as helmv3), kubectl, bats, curl, jq, git, bash.
#
#   docker build -f deploy/loadtester.Dockerfile -t aviary-loadtester:0.1.0 .
#
# The Go programs are the ones that the tests run, pinned by the go.sum files in tests/.
FROM golang:1.26-alpine3.22 AS programs
ENV CGO_ENABLED=0 GOFLAGS="-mod=readonly -trimpath" GOBIN=/out
WORKDIR /pins/hey
COPY tests/testers/hey/go.mod tests/testers/hey/go.sum ./
RUN go build -ldflags "-s -w" -o /out/hey github.com/rakyll/hey
WORKDIR /pins/ghz
COPY tests/testers/ghz/go.mod tests/testers/ghz/go.sum ./
RUN go build -ldflags "-s -w" -o /out/ghz github.com/bojand/ghz/cmd/ghz
WORKDIR /pins/helm
COPY tests/testers/helm/go.mod tests/testers/helm/go.sum ./
RUN go build -ldflags "-s -w" -o /out/helm helm.sh/helm/v3/cmd/helm
WORKDIR /pins/kubectl
COPY tests/controlplane/go.mod tests/controlplane/go.sum ./
RUN go build -ldflags "-s -w" -o /out/kubectl k8s.io/kubernetes/cmd/kubectl

FROM rust:1.95.0-alpine3.22 AS build
# ring and jemalloc compile C. Alpine drops old versions of packages, so a pin would break the build one day.
# hadolint ignore=DL3018
RUN apk add --no-cache build-base
WORKDIR /aviary
COPY . .
# The image's toolchain is the pinned one; no component must be fetched for it.
RUN rm rust-toolchain.toml && cargo build --release --locked --no-default-features --bin aviary

FROM alpine:3.22
LABEL org.opencontainers.image.title="aviary-loadtester" org.opencontainers.image.licenses="Apache-2.0"
# hadolint ignore=DL3018
RUN apk add --no-cache bash bats ca-certificates curl git jq && addgroup -g 10001 app && adduser -D -u 10001 -G app -h /home/app app
COPY --from=programs /out/ /usr/local/bin/
RUN ln -s helm /usr/local/bin/helmv3
# Where hooks of the documents expect it.
COPY tests/companions/health.proto /tmp/ghz/health.proto
COPY --from=build /aviary/target/release/aviary /usr/local/bin/aviary
WORKDIR /home/app
# By number, so that runAsNonRoot can be checked.
USER 10001:10001
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/aviary"]
CMD ["loadtester", "-port=8080"]
