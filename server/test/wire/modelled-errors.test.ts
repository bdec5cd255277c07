import { test } from 'node:test';
import { OPERATIONS } from '../../src/api/operations/index.ts';
import { findAwsCli } from '../support/aws-cli.ts';
import { testEachClient } from '../support/aws-clients.ts';
import { ERRORS } from '../support/error-table.ts';
import { assertNoErrorIsForgotten, causeEveryError } from '../support/modelled-errors.ts';

test('the table of errors names every error that the operations model', () =>
  assertNoErrorIsForgotten(ERRORS, OPERATIONS));

testEachClient(await findAwsCli(), 'each modelled error', (t, client) => causeEveryError(t, client, ERRORS));
