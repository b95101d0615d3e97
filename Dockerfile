# The image of the agent: docker build --tag REGISTRY/switchyard:0.1.0 .
#
# Node comes out of the Node project's own image, of which only the binary and its licence are kept: it is published there for
# amd64 and arm64 alike, the first stage needs it anyway, and no installation script has to run. It is the version that
# package.json pins for development, so what ships is what was tested. Debian 12, since all rules were compared with what its
# iptables 1.8.9 prints.
FROM node:24.21.0-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci --include=dev --ignore-scripts
COPY LICENSE ./
COPY scripts/build.ts scripts/third-party-notices.ts scripts/
COPY src src
RUN node scripts/build.ts

FROM debian:bookworm-slim
COPY deploy/image/packages /usr/share/doc/switchyard/packages
RUN apt-get update \
  && grep --invert-match '^#' /usr/share/doc/switchyard/packages | xargs apt-get install --yes --no-install-recommends \
  && rm -rf /var/lib/apt/lists/*
COPY --from=build /usr/local/LICENSE /usr/share/doc/node/LICENSE
COPY --from=build /usr/local/bin/node /usr/local/bin/node
COPY --from=build /src/dist /usr/local/lib/switchyard
RUN ln -s ../lib/switchyard/switchyard.mjs /usr/local/bin/switchyard && switchyard --version
# As root, since the kernel asks for it; which capabilities are left is the pod's to say (deploy/agent/daemon-set.yaml).
ENTRYPOINT ["switchyard"]
