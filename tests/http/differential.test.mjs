// Generated requests, valid and broken, are answered as graphql-js answers them: refused or accepted alike, with the same
// data to the letter, and with errors at the fields that fail.
//   DIFFERENTIAL_COUNT  how many requests, 3000 unless told
//   DIFFERENTIAL_SEED   where the random numbers start, 1 unless told; another seed makes other requests
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { difference } from './compare.mjs';
import { makeRequest } from './documents.mjs';
import { EDGES } from './edges.mjs';
import { KNOWN } from './known.mjs';
import { breakRequest } from './mutations.mjs';
import { seeded } from './random.mjs';
import { answer, readData, readSchema } from './reference.mjs';
import { startServer } from '../server.mjs';
import { shrink } from './shrink.mjs';

const COUNT = Number(process.env.DIFFERENTIAL_COUNT ?? 3000);
const SEED = Number(process.env.DIFFERENTIAL_SEED ?? 1);
/** Half of the requests and more are broken on purpose. */
const BROKEN = 0.55;
const AT_ONCE = 8;
const MAX_REPORTS = 20;

let server;
let world;

before(
  async () => {
    server = await startServer({ demo: ['--users', '25', '--messages', '300', '--seed', '5'] });
    const schema = await readSchema();
    world = { url: server.url, schema, data: await readData(server.url, schema) };
  },
  { timeout: 120_000 },
);

after(() => server?.stop());

/** The request of a number; the same for the same seed. */
function generated(number) {
  const random = seeded(SEED * 100_003 + number);
  const request = makeRequest(random, world.schema, world.data);
  return random.chance(BROKEN) ? breakRequest(random, request) : request;
}

const known = (found, request) => KNOWN.find((entry) => entry.kind === found.kind && entry.shows(found, request));

/** Runs `work` on the numbers below `count`, a few at a time. */
async function forEachNumber(count, work) {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** A found difference, in words and with as small a request as is found. */
async function report(request, { kind, messages }) {
  const same = async (candidate) => {
    const found = await difference(world, candidate).catch(() => null);
    return found?.kind === kind && !known(found, candidate) && gist(found.messages) === gist(messages);
  };
  const small = await shrink(request, same);
  const { detail } = await difference(world, small);
  return `${kind}: ${detail}\n     ${JSON.stringify({ query: small.query, variables: small.variables, operationName: small.operationName })}`;
}

/** A message without its names and numbers: what tells one kind of difference from another. */
const gist = (messages) => (messages[0] ?? '').replace(/"[^"]*"|\d+/g, '…').slice(0, 60);

test('the edges of the language', async (t) => {
  for (const [name, requests] of Object.entries(EDGES)) {
    await t.test(name, async () => {
      const failures = [];
      for (const request of requests.map((one) => (typeof one === 'string' ? { query: one } : one))) {
        const found = await difference(world, request);
        if (found && !known(found, request))
          failures.push(`${found.kind}: ${found.detail}\n     ${JSON.stringify(request)}`);
      }
      assert.equal(failures.length, 0, `\n${failures.join('\n')}\n`);
    });
  }
});

test('generated requests', { timeout: 900_000 }, async (t) => {
  t.diagnostic(`DIFFERENTIAL_SEED=${SEED} DIFFERENTIAL_COUNT=${COUNT}`);
  const counts = { accepted: 0, refused: 0, failing: 0, outside: 0, known: 0 };
  const kinds = new Map();
  await forEachNumber(COUNT, async (number) => {
    const request = generated(number);
    const expected = await answer(world.schema, world.data, request);
    counts[expected.refused ? 'refused' : 'accepted'] += 1;
    if (expected.failures?.length > 0) counts.failing += 1;
    if (expected.outside) counts.outside += 1;
    const found = await difference(world, request);
    if (!found) return;
    if (known(found, request)) return void (counts.known += 1);
    const key = `${found.kind} ${gist(found.messages)}`;
    if (!kinds.has(key)) kinds.set(key, { request, found, times: 0 });
    kinds.get(key).times += 1;
  });
  t.diagnostic(JSON.stringify(counts));
  const reports = [];
  for (const { request, found, times } of [...kinds.values()].sort((a, b) => b.times - a.times).slice(0, MAX_REPORTS)) {
    reports.push(`${times} × ${await report(request, found)}`);
  }
  assert.equal(kinds.size, 0, `${kinds.size} kinds of differences with seed ${SEED}\n${reports.join('\n')}\n`);
  // A generator that makes nothing but one kind tests nothing.
  assert.ok(
    counts.accepted > COUNT / 4 && counts.refused > COUNT / 4 && counts.outside < COUNT / 20,
    JSON.stringify(counts),
  );
});

test('every known difference is still there', async (t) => {
  for (const entry of KNOWN) {
    await t.test(entry.name, async () => {
      const found = await difference(world, entry.request);
      assert.ok(
        found && found.kind === entry.kind && entry.shows(found, entry.request),
        'it has gone: take it off the list in known.mjs',
      );
    });
  }
});

test('the server is well', async () => {
  assert.ok(server.running(), server.log());
  assert.equal(await server.stop(), 0);
});
