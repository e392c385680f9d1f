// Runs every audit of the GraphQL over HTTP specification that the package graphql-http has, against the real server.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { serverAudits } from 'graphql-http';

import { startServer } from '../server.mjs';

const AUDITS = 61;

let server;

before(async () => {
  server = await startServer({ demo: ['--users', '5', '--messages', '20', '--seed', '5'] });
});

after(() => server?.stop());

const audits = serverAudits({ url: () => server.url });

test('no audit has come or gone', () => {
  assert.equal(audits.length, AUDITS);
});

for (const { id, name, fn } of audits) {
  test(`${id} ${name}`, async () => {
    const { status, reason, response } = await fn();
    // A body that nobody reads keeps its connection.
    if (response && !response.bodyUsed) await response.body?.cancel();
    assert.equal(status, 'ok', `${status}: ${reason}`);
  });
}

test('the server stops cleanly on SIGTERM', async () => {
  assert.equal(await server.stop(), 0);
});
