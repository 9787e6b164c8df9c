# The k6 webhook, with k6:
#
#   docker build -f deploy/k6-webhook.Dockerfile -t aviary-k6-webhook:0.1.0 .
#
# k6 is the one that the tests run, pinned by tests/testers/k6/go.sum. Both programs are static.
FROM golang:1.26-alpine3.22 AS k6
ENV CGO_ENABLED=0 GOFLAGS="-mod=readonly -trimpath"
WORKDIR /pins/k6
COPY tests/testers/k6/go.mod tests/testers/k6/go.sum ./
RUN go build -ldflags "-s -w" -o /out/k6 go.k6.io/k6

FROM rust:1.95.0-alpine3.22 AS build
# ring and jemalloc compile C. Alpine drops old versions of packages, so a pin would break the build one day.
# hadolint ignore=DL3018
RUN apk add --no-cache build-base
WORKDIR /aviary
COPY . .
# The image's toolchain is the pinned one; no component must be fetched for it.
RUN rm rust-toolchain.toml && cargo build --release --locked --no-default-features --bin aviary

FROM gcr.io/distroless/static-debian12:nonroot
LABEL org.opencontainers.image.title="aviary-k6-webhook" org.opencontainers.image.licenses="Apache-2.0"
COPY --from=k6 /out/k6 /usr/bin/k6
COPY --from=build /aviary/target/release/aviary /usr/bin/aviary
# By number, so that runAsNonRoot can be checked.
USER 65534:65534
EXPOSE 8000
ENTRYPOINT ["/usr/bin/aviary"]
CMD ["k6-webhook"]
