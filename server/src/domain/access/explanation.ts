import { type Decision, evaluate, type Mismatch, mismatchOf, type Policy, type PolicyRequest } from './policy.ts';

/** What one statement of a policy has to say about a request. */
export interface StatementExplained {
  /** Where it is in its document, as faults name it; the rule of the root key is in none. */
  readonly path: string;
  readonly sid: string;
  readonly effect: 'Allow' | 'Deny';
  readonly applies: boolean;
  /** A clause that goes on after the name of the statement. */
  readonly words: string;
}

export interface DecisionExplained {
  readonly decision: Decision;
  /** A whole sentence that names what has decided. */
  readonly words: string;
  readonly statements: readonly StatementExplained[];
}

/** The same decision as `evaluate` comes to, with what each statement has to do with it. */
export function explain(policies: readonly Policy[], request: PolicyRequest): DecisionExplained {
  const statements = policies.flatMap((policy) =>
    policy.statements.map((statement, index): StatementExplained => {
      const { sid, effect } = statement;
      const mismatch = mismatchOf(statement, request);
      const verb = effect === 'Allow' ? 'allows it' : 'denies it';
      return {
        ...{ path: `Statement[${index}]`, sid, effect, applies: mismatch === undefined },
        words: mismatch === undefined ? verb : wordsOf(mismatch, request),
      };
    }),
  );
  const decision = evaluate(policies, request);
  return { decision, words: sentenceOf(decision, statements, request), statements };
}

function wordsOf(mismatch: Mismatch, { action, resources, context }: PolicyRequest): string {
  if (mismatch === 'action') return `is not about the action ${action}`;
  if (mismatch === 'resource') return `does not cover the resource ${resources.at(-1) ?? '*'}`;
  const unknown = mismatch.usesSourceIp && context.sourceIp === undefined ? ', since the address is not known' : '';
  return `has the condition ${mismatch.name}, which is not met${unknown}`;
}

function sentenceOf(decision: Decision, statements: readonly StatementExplained[], { action }: PolicyRequest): string {
  if (!decision.isAllowed && decision.reason === 'no_allow') return `No statement allows ${action}.`;
  const effect = decision.isAllowed ? 'Allow' : 'Deny';
  const deciding = statements.filter((each) => each.applies && each.effect === effect).map(nameOf);
  const verb = decision.isAllowed ? 'allowed' : 'denied';
  return `${action} is ${verb} by ${deciding.join(' and ')}.`;
}

function nameOf({ path, sid }: StatementExplained): string {
  return sid === '' ? path : `${path} (${sid})`;
}
