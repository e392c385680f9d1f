// Opens the page that the binary serves in a real browser and does what a first visitor does.
//   PARLOUR_BIN  the binary (required)
//   CHROMIUM     the browser, /usr/bin/chromium unless told
//   SCREENSHOT   where to write a picture of the page, if set
import assert from 'node:assert/strict';
import { access, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { chromium } from 'playwright-core';

import { serve } from '../../tests/server.mjs';

const STARTERS = new URL('../src/starters/', import.meta.url);
const RUN = 'Execute query (Ctrl-Enter)';
const WAIT_MS = 15_000;

let directory;
let server;
let browser;
let page;
const consoleErrors = [];
const requested = [];

before(async () => {
  assert.ok(process.env.PARLOUR_BIN, 'set PARLOUR_BIN to the parlour binary');
  const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
  await access(executablePath);

  directory = await mkdtemp(join(tmpdir(), 'parlour-web-'));
  server = await serve(directory, ['--demo', '--database-url', `sqlite://${directory}/demo.db`]);
  browser = await chromium.launchPersistentContext(join(directory, 'profile'), {
    executablePath,
    headless: true,
    viewport: { width: 1440, height: 900 },
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      // Whatever might be asked of another host must fail, not leave the machine.
      '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
    ],
  });
  browser.setDefaultTimeout(WAIT_MS);
  browser.on('request', (request) => requested.push(request.url()));
  browser.on('weberror', (webError) => consoleErrors.push(String(webError.error())));
  browser.on('console', (message) => {
    if (message.type() === 'error') consoleErrors.push(message.text());
  });
  page = browser.pages()[0] ?? (await browser.newPage());
  await page.goto(server.origin);
  await page.getByRole('button', { name: RUN }).waitFor();
}, { timeout: 120_000 });

after(async () => {
  await browser?.close();
  await server?.stop();
  if (directory) await rm(directory, { recursive: true, force: true });
}, { timeout: 60_000 });

/** The operation names of the starter files, in the order in which the page shows them. */
async function starterNames() {
  const files = (await readdir(STARTERS)).filter((name) => name.endsWith('.graphql')).sort();
  const queries = await Promise.all(files.map((name) => readFile(new URL(name, STARTERS), 'utf8')));
  return queries.map((query) => /^query (\w+)/m.exec(query)[1]);
}

const tabs = () => page.locator('.graphiql-tab-button');

/** What the response pane holds once the operation has answered. */
async function runActiveTab() {
  await page.getByRole('button', { name: RUN }).click();
  const text = await page.waitForFunction(() => {
    const models = globalThis.__MONACO?.editor.getModels() ?? [];
    return models.find(({ uri }) => uri.path.endsWith('response.json'))?.getValue();
  });
  return JSON.parse(await text.jsonValue());
}

test('a first visit finds the starter queries in tabs', async () => {
  assert.equal(await page.title(), 'Parlour');
  const names = await starterNames();
  assert.ok(names.length >= 5);
  assert.deepEqual(await tabs().allTextContents(), names);
});

test('every starter query answers with data', { timeout: 120_000 }, async (t) => {
  for (const [index, name] of (await starterNames()).entries()) {
    await t.test(name, async () => {
      await tabs().nth(index).click();
      const { data, errors } = await runActiveTab();
      assert.equal(errors, undefined);
      const [root] = Object.values(data);
      assert.ok(root.nodes.length > 0, `${name} found nothing in the demo data`);
      // The pane shows it, not only holds it.
      await page.locator('.result-window .view-line', { hasText: '"data"' }).waitFor();
    });
  }
});

test('the documentation explorer shows descriptions', async () => {
  await page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
  const explorer = page.getByRole('region', { name: 'Documentation Explorer' });
  await explorer.getByText('Query', { exact: true }).click();
  await explorer.getByText('chatUsers', { exact: true }).click();
  await explorer.locator('.graphiql-doc-explorer-title', { hasText: 'chatUsers' }).waitFor();
  const description = explorer.locator('.graphiql-markdown-description').first();
  assert.match(await description.innerText(), /\w+ \w+/);
});

test('a change survives a reload, and no starter tab comes twice', async () => {
  const names = await starterNames();
  await tabs().first().click();
  await page.locator('.graphiql-query-editor .view-lines').click();
  await page.keyboard.press('Control+Home');
  await page.keyboard.type('# my note\n');
  await page.waitForFunction(() => localStorage.getItem('graphiql:tabState')?.includes('# my note'));
  await page.reload();
  await page.locator('.graphiql-query-editor .view-line', { hasText: '# my note' }).waitFor();
  assert.deepEqual(await tabs().allTextContents(), names);
});

if (process.env.SCREENSHOT) {
  test('a picture of a session history', async () => {
    await page.getByRole('button', { name: 'Hide Documentation Explorer' }).click();
    await tabs().nth(2).click();
    await runActiveTab();
    await page.locator('.result-window .view-line', { hasText: '"data"' }).waitFor();
    await page.screenshot({ path: process.env.SCREENSHOT });
  });
}

test('the page stayed on its own origin and its console is clean', () => {
  const foreign = requested.filter((url) => !url.startsWith(`${server.origin}/`) && !url.startsWith('data:'));
  assert.deepEqual(foreign, []);
  assert.ok(requested.some((url) => url.includes('worker')), 'no worker was started');
  assert.deepEqual(consoleErrors, []);
});

test('the server stops cleanly on SIGTERM', { timeout: 30_000 }, async () => {
  await browser.close();
  assert.equal(await server.stop(), 0);
});
