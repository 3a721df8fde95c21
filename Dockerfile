# The gateway as an image: one binary on a small glibc base, run by a user that owns nothing but /data.
#
#   docker build --build-arg BVE_COMMIT="$(git rev-parse --short HEAD)" -t bve .
#   docker run --read-only -v bve:/data -p 8080:8080 -e FUELIX_API_KEY -e API_KEY_PEPPER bve
#
# test/container/ builds this very file and checks the result where no container engine runs.

FROM oven/bun:1.4.5 AS build
WORKDIR /build

# Dependencies before sources: a layer that changes only with the lock file.
COPY package.json bun.lock bunfig.toml ./
RUN bun install --frozen-lockfile

# .dockerignore lists what the build may see; neither .git nor .env is among it, so the commit comes as an argument.
COPY . .
ARG BVE_COMMIT=unknown
RUN bun run build

# The final stage runs no command, so its empty data directory is made here.
RUN mkdir /data

# The binary carries Bun and its root certificates and wants nothing but glibc 2.17 or later.
FROM debian:bookworm-slim
COPY --from=build /build/dist/bve /usr/local/bin/bve

# Numeric, so that Kubernetes' runAsNonRoot can tell; a mounted volume must be writable for this id.
COPY --from=build --chown=10001:10001 /data /data
USER 10001:10001
WORKDIR /data
VOLUME /data

ENV HOST=0.0.0.0 \
    PORT=8080 \
    DATABASE_URL=sqlite:///data/bve.db
EXPOSE 8080

# Exec forms throughout: bve is process 1, so SIGTERM reaches it and the drain begins (DRAIN_TIMEOUT_MS, 25 s). Kubernetes
# grants 30 s; `docker stop` only 10, unless it is told `-t 30` or the container was run with `--stop-timeout 30`.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=3s --start-period=5s --retries=3 CMD ["bve", "check", "--health"]
ENTRYPOINT ["bve"]
CMD ["serve"]

ARG BVE_COMMIT=unknown
LABEL org.opencontainers.image.title="BVE Gateway" \
      org.opencontainers.image.description="A Bun-native streaming gateway for OpenAI-compatible APIs: own keys, exact bytes, honest usage." \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.base.name="debian:bookworm-slim" \
      org.opencontainers.image.revision="$BVE_COMMIT"
