// Requests that mean harm are refused with a 4xx: quickly, in a short answer, by a process that lives on and gives its
// memory back. Prints how long each took.
import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';

import { HOSTILE } from './attacks.mjs';
import { ask, startServer } from '../server.mjs';

const MAX_ANSWER = 64 * 1024;
const MAX_MS = 5_000;
/** How long the server may still be busy with what it has given up on. */
const WELL_MS = 10_000;
const MAX_MEMORY_MIB = 400;
const REQUEST_TIMEOUT_MS = 2_000;
/** Beyond a megabyte, so that it is not the size alone that saves the server. */
const BODY_LIMIT = 8 * 1024 * 1024;

let server;
const table = [];

before(start, { timeout: 120_000 });
after(() => server?.stop());

async function start() {
  server = await startServer({
    demo: ['--users', '25', '--messages', '300', '--seed', '5'],
    flags: ['--body-limit', String(BODY_LIMIT), '--request-timeout', String(REQUEST_TIMEOUT_MS), '--body-timeout', '2000'],
  });
}

const JSON_HEADERS = { 'content-type': 'application/json', accept: 'application/graphql-response+json' };

/** Sends bytes as they are; the status, the answer's size and its text, or the error that there was instead. */
function send({ method = 'POST', path = '/graphql', headers = {}, body = Buffer.alloc(0) }) {
  return new Promise((done) => {
    const all = { ...JSON_HEADERS, 'content-length': body.length, ...headers };
    const sent = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== null));
    const url = new URL(path, server.origin);
    const asked = httpRequest(
      { host: url.hostname, port: url.port, path, method, headers: sent, agent: false },
      (response) => {
        const chunks = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('error', (error) => done({ error: error.message }));
        response.on('end', () => {
          const text = Buffer.concat(chunks);
          done({ status: response.statusCode, bytes: text.length, text: text.toString() });
        });
      },
    );
    asked.setTimeout(MAX_MS + 1_000, () => asked.destroy(new Error(`no answer in ${MAX_MS + 1_000} ms`)));
    asked.on('error', (error) => done({ error: error.message }));
    asked.end(method === 'GET' ? undefined : body);
  });
}

/** Writes to a bare connection; the status line of what comes back, or `closed`. */
function converse(talk, limit = MAX_MS) {
  return new Promise((done) => {
    const { hostname, port } = new URL(server.origin);
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    let got = '';
    const end = (what) => {
      clearTimeout(late);
      clearInterval(timer);
      socket.destroy();
      done(what);
    };
    const late = setTimeout(() => end({ error: `no answer in ${limit} ms` }), limit);
    let timer;
    socket.on('data', (chunk) => {
      got += chunk;
      const status = /^HTTP\/1\.1 (\d+)/.exec(got);
      if (status) end({ status: Number(status[1]), bytes: got.length, text: got });
    });
    socket.on('end', () => end({ status: 'closed', bytes: got.length, text: got }));
    socket.on('close', () => end({ status: 'closed', bytes: got.length, text: got }));
    socket.on('error', () => end({ status: 'closed', bytes: got.length, text: got }));
    socket.on('connect', () => (timer = talk(socket)));
  });
}

const head = (length) =>
  `POST /graphql HTTP/1.1\r\nHost: parlour\r\nContent-Type: application/json\r\nAccept: application/graphql-response+json\r\n${length}\r\n\r\n`;

/** Takes the time of a request, and looks after the server. */
async function attack(name, expected, run) {
  const before = performance.now();
  const answer = await run();
  const took = performance.now() - before;
  const { code } = /"code":"(?<code>\w+)"/.exec(answer.text ?? '')?.groups ?? {};
  table.push({ name, status: answer.status ?? answer.error, code, ms: Math.round(took), bytes: answer.bytes });
  const well = await stillWell();
  assert.ok(well.running, `the process died or is stuck\n${well.log}`);
  assert.equal(answer.error, undefined, answer.error);
  const status = `${answer.status} ${answer.text?.slice(0, 300)}`;
  if (answer.status === 'closed')
    assert.ok(expected === 'refused or closed', 'the connection was closed without an answer');
  else if (answer.status === 200) assert.equal(expected, 'answered', `was answered: ${status}`);
  else assert.ok(answer.status >= 400 && answer.status <= 499, status);
  assert.ok(answer.bytes < MAX_ANSWER, `an answer of ${answer.bytes} bytes`);
  assert.ok(took < MAX_MS, `took ${took} ms`);
}

/** Whether the server answers; a new one is started in the place of one that died or is stuck. */
async function stillWell() {
  const alive = await ask(server.url, { query: '{ __typename }' }, AbortSignal.timeout(WELL_MS)).catch(() => null);
  const well = { running: alive?.status === 200 && server.running(), log: server.log() };
  if (!well.running) {
    await server.stop();
    await start();
  }
  return well;
}

for (const [place, attacks] of Object.entries(HOSTILE)) {
  test(place, { timeout: 600_000 }, async (t) => {
    for (const { name, make, expected = 'refused' } of attacks) {
      await t.test(name, () => {
        const request = make();
        return attack(`${place}: ${name}`, expected, () => send(request));
      });
    }
  });
}

test('bodies that do not end', async (t) => {
  const cases = {
    'half a body, then nothing more is sent': (socket) => void socket.end(`${head('Content-Length: 1000')}{"query":`),
    'half a body, then the connection stays open': (socket) =>
      void socket.write(`${head('Content-Length: 1000')}{"query":`),
    'no body where one is announced': (socket) => void socket.write(head('Content-Length: 1000')),
    'half a chunk': (socket) => void socket.write(`${head('Transfer-Encoding: chunked')}fff\r\n{"query":`),
    'a chunk size that is none': (socket) =>
      void socket.write(`${head('Transfer-Encoding: chunked')}zzz\r\n{}\r\n0\r\n\r\n`),
    'a byte at a time': (socket) => {
      socket.write(head('Content-Length: 100000'));
      return setInterval(() => socket.writable && socket.write(' '), 100);
    },
    'chunks of a byte at a time': (socket) => {
      socket.write(head('Transfer-Encoding: chunked'));
      return setInterval(() => socket.writable && socket.write('1\r\n \r\n'), 100);
    },
  };
  for (const [name, talk] of Object.entries(cases)) {
    await t.test(name, () => attack(`bodies that do not end: ${name}`, 'refused or closed', () => converse(talk)));
  }
});

test('its memory is back', { timeout: 60_000 }, async (t) => {
  let mib;
  for (let tries = 0; tries < 10; tries += 1) {
    mib = await server.memory('VmRSS');
    if (mib === null || mib < MAX_MEMORY_MIB) break;
    await new Promise((done) => setTimeout(done, 1_000));
  }
  if (mib === null) return t.skip('there is no /proc here');
  t.diagnostic(`VmRSS ${Math.round(mib)} MiB, at its peak ${Math.round(await server.memory('VmHWM'))} MiB`);
  assert.ok(mib < MAX_MEMORY_MIB, `${mib} MiB`);
});

test('how long each took', (t) => {
  const widest = Math.max(...table.map(({ name }) => name.length));
  for (const { name, status, code = '', ms, bytes = '' } of table) {
    t.diagnostic(
      `${name.padEnd(widest)}  ${String(status).padStart(6)} ${String(ms).padStart(6)} ms ${String(bytes).padStart(9)} bytes  ${code}`,
    );
  }
});

test('the server stops cleanly on SIGTERM', async () => {
  assert.equal(await server.stop(), 0);
});
