import { test } from 'node:test';
import { OPERATIONS } from '../../src/api/operations/index.ts';
import { findAwsCli } from '../support/aws-cli.ts';
import { awsClients } from '../support/aws-clients.ts';
import { ERRORS } from '../support/error-table.ts';
import { assertNoErrorIsForgotten, causeEveryError } from '../support/modelled-errors.ts';

test('the table of errors names every error that the operations model', () =>
  assertNoErrorIsForgotten(ERRORS, OPERATIONS));

for (const client of awsClients(await findAwsCli())) {
  test(`[${client.name}] each modelled error`, { skip: client.skip, concurrency: 4 }, (t) =>
    causeEveryError(t, client, ERRORS),
  );
}
