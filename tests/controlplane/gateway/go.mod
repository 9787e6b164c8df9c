// The Gateway API's CRDs (config/crd/standard) come as a Go module. A module of its own, so that it never moves the
// versions that the control plane is built from. To take another version: edit the line, then
// `GOFLAGS=-mod=mod go mod download -json sigs.k8s.io/gateway-api`.
module aviary/tests/controlplane/gateway

go 1.26.0

require sigs.k8s.io/gateway-api v1.6.1
