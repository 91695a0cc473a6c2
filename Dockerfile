# syntax=docker/dockerfile:1
# The image: one binary, on a small system, as nobody.
#
#   docker build --tag subprocessor-registry .
#
# Tags without digests: whoever builds gets the repairs of Debian and Rust of that day. What was built is named by its own
# digest (`image.digest` of the chart).

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
# What .dockerignore lets through is what a build needs.
COPY . .
# Crates and what was compiled are kept for the next build, but not in a layer; so the binary is copied out of them.
# --locked: what was tested.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --profile dist --bin subprocessor-registry \
    && install -D target/dist/subprocessor-registry /out/subprocessor-registry \
    && install -d -o 65532 -g 65532 -m 700 /out/data

# The same Debian as above, for the same libc. Certificates are in the binary.
FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="subprocessor-registry" \
      org.opencontainers.image.description="The register of a company's sub-processors" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /out/subprocessor-registry /usr/local/bin/subprocessor-registry
# A number, so that Kubernetes can tell that it is not root.
COPY --from=build --chown=65532:65532 /out/data /var/lib/subprocessor-registry
USER 65532:65532
# The embedded database is in ./data, unless settings say otherwise. Nothing else is written: the rest may be read-only.
WORKDIR /var/lib/subprocessor-registry
VOLUME /var/lib/subprocessor-registry
EXPOSE 50051 9464
# Kubernetes has probes of its own and does not look at this.
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --retries=3 \
    CMD ["subprocessor-registry", "health"]
# It listens on loopback until it is told that there is no authentication: --listen 0.0.0.0:50051 --insecure-no-auth
ENTRYPOINT ["subprocessor-registry"]
CMD ["serve"]
