# syntax=docker/dockerfile:1
# The API alone, for a PostgreSQL that runs elsewhere (DATABASE_URL): the embedded one is left out of the image.
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS builder
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build

FROM ${NODE_IMAGE} AS runtime
# In production the server starts with no key but one of your own, and with a choice of who may read: API_KEY, READ_ACCESS.
ENV NODE_ENV=production ENVIRONMENT=production HOST=0.0.0.0 PORT=8000
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# The optional packages are the embedded PostgreSQL's binaries, one per platform.
RUN npm ci --omit=dev --omit=optional --ignore-scripts && npm cache clean --force
COPY migrations ./migrations
# Served at /problems/{code}.
COPY docs/errors ./docs/errors
COPY --from=builder /app/dist ./dist
USER node
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + process.env.PORT + '/health').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "dist/main.js", "serve"]
