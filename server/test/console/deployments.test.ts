import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createKey } from '../support/administration.ts';
import { chromium, signIn } from '../support/console-page.ts';
import { fileOf } from '../support/game-document.ts';
import { createSnapshot, deploy, endOfDeployment, startDeployment } from '../support/publishing.ts';
import { rawCall } from '../support/raw-call.ts';
import { scriptedGame } from '../support/scripted-game.ts';
import { GAME, ROOT, STAGE, startTestServer } from '../support/server.ts';

const skip = chromium === undefined ? 'there is no Chromium here' : false;

const PLACE = `game=${GAME}&stage=${STAGE}`;
const FAULTY = fileOf(scriptedGame({ requests: { Greet: { script: 'return (' } } }));

test('[chromium] the history of deployments says by whom each was made, and which of them is current', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  const other = await createKey(server, [{ Effect: 'Allow', Action: '*', Resource: '*' }]);
  await deploy(server);
  await deploy({ sdk: () => server.sdk({ credentials: other }) });
  const { DeploymentId } = await startDeployment(server, { SnapshotId: await createSnapshot(server, FAULTY) });
  assert.equal((await endOfDeployment(server, DeploymentId))?.DeploymentState, 'FAILED');
  const opened = await signIn(server.url, ROOT, { hash: `#/deployments?${PLACE}` });
  await opened.shows('By');
  const rows = (await opened.page.evaluate(`[...document.querySelectorAll('section.table')]
    .find((table) => table.ariaLabel === 'History')
    .querySelectorAll('tbody tr').values().map((row) => row.innerText.replaceAll(/\\s+/g, ' ')).toArray()`)) as string[];
  const [failed = '', current = '', first = ''] = rows;
  assert.match(failed, /failed/);
  assert(failed.includes(ROOT.accessKeyId) && !failed.includes('current'), failed);
  assert(current.includes(other.accessKeyId.slice(-5)) && current.includes('current'), current);
  assert(first.includes(ROOT.accessKeyId) && !first.includes('current'), first);
  await opened.assertSound();
  await opened.page.evaluate(`location.hash = '#/home?${PLACE}'`);
  const marked = await opened.shows('What was done, marked by dashed lines');
  assert.match(marked, /StartStageDeployment/);
  await opened.shows(/StartStageDeployment\s+failed/);
  const marks = String(await opened.page.evaluate("document.querySelector('.marks').innerText"));
  assert.equal(marks.match(/failed/g)?.length, 1, marks);
  await opened.assertSound();
});

test('[chromium] a deployment that much was recorded after is still marked, and says by whom it was made', {
  skip,
}, async (t) => {
  const server = await startTestServer(t);
  await deploy(server);
  const { json } = await rawCall(server, 'GET', '/respark/audit-record?Operation=StartStageDeployment');
  const opened = await signIn(server.url, ROOT, { hash: `#/players?${PLACE}` });
  await opened.page.setRequestInterception(true);
  // So the server answers that has looked through as many records as it does for one call, and found none of them.
  opened.page.on('request', (request) => {
    const { pathname, searchParams } = new URL(request.url());
    const isTheirs = pathname.endsWith('/audit-record') && searchParams.get('Operation') === 'StartStageDeployment';
    if (!isTheirs) return void request.continue();
    const page = searchParams.has('NextToken') ? json : { AuditRecords: [], NextToken: 'further' };
    void request.respond({ contentType: 'application/json', body: JSON.stringify(page) });
  });
  await opened.page.evaluate(`location.hash = '#/deployments?${PLACE}'`);
  await opened.page.waitForFunction(
    `document.querySelector('section.table[aria-label=History] tbody')?.innerText.includes('${ROOT.accessKeyId}')`,
  );
  await opened.page.evaluate(`location.hash = '#/home?${PLACE}'`);
  await opened.shows(/marked by dashed lines\s+\S+ StartStageDeployment/);
});
