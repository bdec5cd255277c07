import assert from 'node:assert/strict';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { DisconnectPlayerCommand } from '@aws-sdk/client-gamesparks';
import Libsql from 'libsql';
import { temporaryDirectory } from '../../src/store/test-store.ts';
import { usePostgres, whyNoPostgres } from '../support/postgres.ts';
import { createWorkplace, type Workplace } from '../support/process.ts';
import { until } from '../support/server.ts';

type Server = Awaited<ReturnType<Workplace['serve']>>;

/** Disconnects a player, and gives the request id of that. */
async function disconnect(server: Server): Promise<{ requestId: string; playerId: string; connectionId: string }> {
  const { playerId, connectionId } = await server.connect();
  const call = new DisconnectPlayerCommand({ GameName: 'Demo', StageName: 'Dev', PlayerId: playerId });
  const { $metadata } = await server.sdk().send(call);
  return { requestId: String($metadata.requestId), playerId, connectionId };
}

async function stop(server: Server): Promise<void> {
  server.child.kill('SIGTERM');
  await server.ended();
}

/** The commands in the documentation, in order. */
function documented(): string[][] {
  const text = readFileSync(new URL('../../../../docs/receipts.md', import.meta.url), 'utf8');
  const blocks = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block = '']) => block);
  return blocks.flatMap((block) => block.trim().split('\n')).map((line) => line.split(' '));
}

test('[aws-sdk] the commands of the documentation do what it says, and each manipulation of the files is found', async (t) => {
  const place = createWorkplace(t);
  const server = await place.serve(['--demo']);
  const { requestId, playerId, connectionId } = await disconnect(server);
  const run = async ([program, ...words]: string[]) => {
    assert.equal(program, 'respark');
    const to = words.indexOf('>');
    const args = (to < 0 ? words : words.slice(0, to)).map((word) => (word === '$REQUEST_ID' ? requestId : word));
    const { exitCode, stdout, stderr } = await place.respark(args);
    assert.deepEqual([exitCode, stderr], [0, ''], args.join(' '));
    if (to >= 0) writeFileSync(join(place.directory, String(words[to + 1])), stdout);
    return stdout;
  };
  const verify = (args: string[]) => place.respark(['audit', 'verify', ...args]);
  const none = join(place.directory, 'none.json');
  writeFileSync(none, JSON.stringify({ chains: [] }));
  assert.match(
    (await verify(['--head', none])).stderr,
    /none\.json has no head: .* yet when it was printed; print it anew/,
  );
  // Records come into the chain some time after the calls that they are of.
  await until(async () => JSON.parse((await verify(['--json'])).stdout).chains.length > 0);
  let last = '';
  for (const command of documented()) last = await run(command);
  for (const fact of [playerId, 'DisconnectPlayer', server.credentials.accessKeyId, `${connectionId}: closed`]) {
    assert.ok(last.includes(fact), `${fact} in ${last}`);
  }
  assert.match((await verify(['--since', '1h'])).stdout, /nothing was removed, changed, reordered or put in\n$/);
  const { stdout: known } = await verify(['--head', 'today.json', '--receipt', 'receipt.jws']);
  assert.match(
    known,
    /^link \d+ of the chain of \S+ is the one that the head in today\.json names, and \d+ links? follows? it$/m,
  );
  assert.match(known, /^link \d+ of the chain of \S+ is the one that the receipt receipt\.jws names, and /m);
  assert.match(known, /^the signatures of receipts are another matter: "respark receipt verify"/m);

  server.child.kill('SIGKILL');
  await server.ended();
  const manipulated = async (statement: string, flags: string[] = []) => {
    const copy = join(temporaryDirectory(t), 'copy');
    cpSync(server.dataDir, copy, { recursive: true });
    const database = new Libsql(join(copy, 'audit.sqlite'));
    if (statement !== '') database.exec(statement);
    database.close();
    const { exitCode, stdout } = await verify(['--data-dir', copy, '--offline', '--json', ...flags]);
    const { findings } = JSON.parse(stdout);
    return [exitCode, ...findings.map(({ kind }: { kind: string }) => kind)];
  };
  const receipt = ['--receipt', join(place.directory, 'receipt.jws')];
  const of = `WHERE request_id = '${requestId}'`;
  const link = `(SELECT intent_link FROM audit ${of})`;
  assert.deepEqual(await manipulated('', receipt), [0]);
  assert.deepEqual(await manipulated(`DELETE FROM audit ${of}`), [1, 'removed']);
  assert.deepEqual(await manipulated(`UPDATE audit SET actor = 'nobody' ${of}`), [1, 'changed']);
  const end = `DELETE FROM audit_links WHERE number >= ${link}; DELETE FROM audit WHERE intent_link >= ${link}`;
  const cutOff = await manipulated(
    `CREATE TEMP TABLE cut AS SELECT ${link} AS link; ${end.replaceAll(link, '(SELECT link FROM cut)')}`,
    receipt,
  );
  assert.equal(cutOff[0], 1);
  assert.ok(cutOff.slice(1).length > 0 && cutOff.slice(1).every((kind) => kind === 'cut_off'), cutOff.join(', '));
});

test('a receipt survives the replacement of the secret key, and a backup and its restoring', async (t) => {
  const place = createWorkplace(t);
  const server = await place.serve(['--demo']);
  const { requestId } = await disconnect(server);
  const ask = async (...args: string[]) => {
    const { exitCode, stdout, stderr } = await place.respark(args);
    assert.equal(exitCode, 0, `${args.join(' ')}: ${stderr}`);
    return stdout;
  };
  const [receipt, key] = [await ask('receipt', 'get', requestId), await ask('receipt', 'key')];
  await stop(server);
  await ask('keys', 'rotate-secret');
  await ask('backup', 'data.tar.gz');
  const restored = join(place.directory, 'restored');
  await ask('restore', 'data.tar.gz', '--data-dir', restored);
  assert.match(await ask('audit', 'verify', '--data-dir', restored), /nothing was removed/);
  const again = await place.serve(['--data-dir', restored]);
  const at = ['--data-dir', restored];
  assert.deepEqual([await ask('receipt', 'get', requestId, ...at), await ask('receipt', 'key', ...at)], [receipt, key]);
  await stop(again);
});

describe('[postgres] receipts', { skip: whyNoPostgres }, () => {
  const database = usePostgres();

  test('stay when the store is copied into a database, and the chain of the files goes along', async (t) => {
    const place = createWorkplace(t);
    const server = await place.serve(['--demo']);
    const { requestId } = await disconnect(server);
    const { stdout: receipt } = await place.respark(['receipt', 'get', requestId]);
    await stop(server);
    const url = await database.emptyDatabase(t);
    const copied = await place.respark(['store', 'copy', '--to', url]);
    assert.equal(copied.exitCode, 0, copied.stderr);
    const secret = readFileSync(join(server.dataDir, 'secret.key'), 'utf8').trim();
    const env = { RESPARK_DATABASE_URL: url, RESPARK_SECRET_KEY: secret };
    const verified = await place.respark(['audit', 'verify'], { env });
    assert.deepEqual([verified.exitCode, verified.stderr], [0, ''], verified.stdout);
    const other = createWorkplace(t);
    const node = await other.serve([], { env });
    const shown = await other.respark(['receipt', 'get', requestId], { env });
    const chainOf = (jws: string) => JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString()).chain;
    assert.deepEqual({ ...chainOf(shown.stdout), writer: 'server' }, chainOf(receipt));
    const { playerId } = await node.connect({ gameKey: server.gameKey });
    const call = new DisconnectPlayerCommand({ GameName: 'Demo', StageName: 'Dev', PlayerId: playerId });
    const { $metadata } = await node.sdk().send(call);
    const later = await other.respark(['receipt', 'get', String($metadata.requestId)], { env });
    assert.equal(later.exitCode, 0, later.stderr);
    const whole = await other.respark(['audit', 'verify', '--json'], { env });
    const { chains } = JSON.parse(whole.stdout);
    const writers = chains.map(({ writer }: { writer: string }) => (writer === 'copied' ? writer : 'node'));
    assert.deepEqual([whole.exitCode, writers.sort()], [0, ['copied', 'node']]);
    await stop(node);
  });
});
