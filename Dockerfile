# Builds the server from this repository, and runs it as an ordinary user. docs/deploying.md says how.
FROM node:24-bookworm-slim AS build
WORKDIR /respark
# The manifests come first, so that only a change of them installs the packages again.
COPY package.json package-lock.json ./
COPY protocol/package.json protocol/
COPY client/package.json client/
COPY console/package.json console/
COPY server/package.json server/
COPY server/bin server/bin/
RUN npm ci --include=dev
COPY . .
RUN npm run build && npm prune --omit=dev
# What only tests and debuggers use stays behind, and so does the build of libsql for another C library.
RUN find protocol client -name '*.test.*' -delete -o -name '*.contract.*' -delete -o -name '*.map' -delete
RUN rm -rf node_modules/@libsql/*-musl && mkdir data

FROM node:24-bookworm-slim
ENV NODE_ENV=production \
    PATH="/respark/node_modules/.bin:$PATH" \
    RESPARK_DATA_DIR=/var/lib/respark \
    RESPARK_HOST=0.0.0.0
WORKDIR /respark
COPY --from=build /respark/LICENSE /respark/package.json ./
COPY --from=build /respark/node_modules node_modules/
COPY --from=build /respark/protocol/package.json protocol/
COPY --from=build /respark/protocol/dist/src protocol/dist/src/
COPY --from=build /respark/client/package.json client/
COPY --from=build /respark/client/dist/src client/dist/src/
COPY --from=build /respark/server/package.json server/
COPY --from=build /respark/server/bin server/bin/
COPY --from=build /respark/server/dist/bundle server/dist/bundle/
COPY --from=build /respark/server/dist/console server/dist/console/
# A new volume takes its owner from here. By number, Kubernetes can see that the user is not root.
COPY --from=build --chown=1000:1000 /respark/data /var/lib/respark/
USER 1000:1000
VOLUME /var/lib/respark
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["respark", "health"]
# Node.js itself is process 1 and gets SIGTERM; without the flag, SIGUSR1 would open its debugger until the program is loaded.
ENTRYPOINT ["node", "--disable-sigusr1", "/respark/server/bin/respark.js"]
CMD ["serve"]
