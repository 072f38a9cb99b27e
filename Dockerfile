# One image, four entry points: api (default), worker, bootstrap, tenure.
FROM node:22.21.1-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build

FROM node:22.21.1-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --no-audit --no-fund

# The AWS emulator of the local stack; production talks to AWS.
FROM python:3.12.12-slim-bookworm AS aws-emulator
WORKDIR /state
COPY requirements-local.txt ./
RUN pip install --no-cache-dir --requirement requirements-local.txt && useradd --create-home emulator && chown emulator /state
USER emulator
EXPOSE 4566
CMD ["ministack"]

FROM node:22.21.1-bookworm-slim AS tenure
ENV NODE_ENV=production
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY package.json requirements-local.txt ./
COPY cloudformation ./cloudformation
USER node
EXPOSE 3000
CMD ["node", "dist/api/main.js"]
