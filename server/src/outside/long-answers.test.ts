import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { openOutside, setAwsEnvironment, startWebServer } from '../../test/support/outside.ts';

const LONG = 200_000;

/** How many turns of the event loop there are between the reading of a long answer's JSON and the end of the call. */
async function turnsAfterReading(t: TestContext, call: () => Promise<object>): Promise<number> {
  const { parse } = JSON;
  let turns = 0;
  let turnOfReading = Number.NaN;
  t.mock.method(JSON, 'parse', (text: string, ...rest: []) => {
    if (text.length > LONG) turnOfReading = turns;
    return parse(text, ...rest);
  });
  let isDone = false;
  const answer = call().finally(() => {
    isDone = true;
  });
  for (; !isDone; turns += 1) await new Promise(setImmediate);
  assert.ok('result' in (await answer));
  return turns - turnOfReading;
}

test('a long answer of DynamoDB is not read in one turn of the event loop', async (t) => {
  setAwsEnvironment(t);
  const attributes = Array.from({ length: 13_000 }, (_, number) => [`k${number}`, { N: '1' }]);
  const body = JSON.stringify({ Item: Object.fromEntries(attributes) });
  const { url } = await startWebServer(t, (response) => void response.end(body));
  const { outside } = openOutside(t, { dynamodbTables: ['Weapons'], dynamodbEndpoint: url });
  const turns = await turnsAfterReading(t, () => outside.getItem(['Weapons', { Name: 'Axe' }]));
  assert.ok(turns >= 4, `${turns} turns`);
});

test('a long answer of a Lambda function is not read in one turn of the event loop', async (t) => {
  const body = `[${'[[]],'.repeat(52_000)}0]`;
  const { url } = await startWebServer(t, (response) => void response.end(body));
  const { outside } = openOutside(t, { lambdaRoutes: [`Match=${url}`] });
  const turns = await turnsAfterReading(t, () => outside.invokeLambda(['Match', {}]));
  assert.ok(turns >= 4, `${turns} turns`);
});
