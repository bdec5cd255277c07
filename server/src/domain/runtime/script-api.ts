/** A call that scripts can make. */
interface ScriptCall {
  readonly name: string;
  /** As TypeScript declares them. */
  readonly parameters: string;
  readonly returns: string;
  /** What it does, in a sentence or two. */
  readonly does: string;
}

interface ScriptObject {
  /** The type of the object in `cloud-code.d.ts`. */
  readonly type: string;
  /** The type whose calls it has too. */
  readonly extends?: string;
  /** How a script gets it from `GameSparks()`. */
  readonly getter: string;
  readonly does: string;
  readonly calls: readonly ScriptCall[];
}

const LOGGED =
  'Text is written as it is, anything else as JSON, with a space between several. The lines of one message have at most 64 KiB together.';

/**
 * Everything that a script can call, from which the declarations for editors and the documentation derive. What the
 * original service had is the same here; the rest is in its style.
 */
export const SCRIPT_API: readonly ScriptObject[] = [
  {
    type: 'Logging',
    getter: 'Logging()',
    does: 'Writes to the log of the stage, which `respark logs` shows. No player sees it.',
    calls: (['Debug', 'Info', 'Warn', 'Error'] as const).map((name) => ({
      name,
      parameters: '...values: readonly unknown[]',
      returns: 'void',
      does: `Writes a line of the level ${name.toLowerCase()}. ${LOGGED}`,
    })),
  },
  {
    type: 'Messaging',
    getter: 'Messaging()',
    does: 'Answers a request, and sends messages.',
    calls: [
      {
        name: 'Response',
        parameters: 'payload: object',
        returns: 'Result',
        does: 'What a handler of a request must return. The payload must fit the response shape; members that the shape does not have are left out.',
      },
      {
        name: 'Error',
        parameters: 'code: string, message?: string',
        returns: 'Result',
        does: 'Returned instead of a response, it answers with an error of the game’s own. The code is 1-64 letters, digits, `_`, `.` and `-`, and begins with a capital; the player gets both. Without a message, the code is the message too.',
      },
      {
        name: 'SendNotification',
        parameters: 'name: string, payload?: object, playerId?: string',
        returns: 'void',
        does: 'Sends a notification to every connection of the player whose message is handled, or of another one. A player who is not connected misses it. While the scripts of the stage send very much, the call waits.',
      },
      {
        name: 'RaiseEvent',
        parameters: 'name: string, payload?: object',
        returns: 'void',
        does: 'Has the handler of the event run for the same player, after this one and apart from it, even if the player has been disconnected meanwhile. It runs however this one ends, but not if too much waits, as the log of the stage then says. Players need not be allowed to send the event. All that one handler raises may have 4 MiB of payloads.',
      },
    ],
  },
  {
    type: 'CurrentPlayer',
    extends: 'Player',
    getter: 'CurrentPlayer()',
    does: 'The player whose message is handled, with all calls of `GameSparks().Player(id)` and one more.',
    calls: [
      {
        name: 'Claims',
        parameters: '',
        returns: '{ [name: string]: any }',
        does: 'What the token said with which the player has connected: the claims of CreatePlayerToken, or those of an identity provider’s token that the stage lets handlers read. Nobody can change them but who made the token. Empty for a guest.',
      },
    ],
  },
  {
    type: 'Player',
    getter: 'Player(id: string)',
    does: 'Any player of the stage.',
    calls: [
      { name: 'Id', parameters: '', returns: 'string', does: 'The player’s id.' },
      {
        name: 'GetData',
        parameters: 'keys?: readonly string[]',
        returns: 'Record<string, any>',
        does: 'The values of these keys, or of all there are. A key that is not set is missing.',
      },
      {
        name: 'SetData',
        parameters: 'values: Record<string, unknown>',
        returns: 'void',
        does: 'Sets these keys and leaves the others as they are; null removes a key, and a number that is not finite, such as NaN, is refused. If the script has read data of the player, and another handler has changed what it read, it throws an error with the code `conflict`: read again, and try again.',
      },
      {
        name: 'Disconnect',
        parameters: 'reason?: string',
        returns: '{ DisconnectSuccesses: string[]; DisconnectFailures: string[] }',
        does: 'Closes every connection of the player, with the promises of DisconnectPlayer, and says which have ended. It is on record. The client is told the reason, of at most 64 characters. When the scripts of the stage have disconnected too many in a short time, it throws an error with the code `throttled`, and nothing is done.',
      },
    ],
  },
  {
    type: 'Lambda',
    getter: 'Lambda(name: string)',
    does: 'An AWS Lambda function, or what the settings put in its place.',
    calls: [
      {
        name: 'Invoke',
        parameters: 'event: unknown',
        returns: '{ Payload: any }',
        does: 'Calls the function and waits for its answer.',
      },
    ],
  },
  {
    type: 'DynamoDB',
    getter: 'DynamoDB()',
    does: 'Amazon DynamoDB, or a compatible server. Keys and items are plain objects; options are those of the AWS API, such as ConditionExpression.',
    calls: [
      {
        name: 'GetItem',
        parameters: 'table: string, key: object, options?: object',
        returns: '{ Item?: any }',
        does: 'Reads an item; without one, Item is missing.',
      },
      {
        name: 'PutItem',
        parameters: 'table: string, item: object, options?: object',
        returns: '{ Attributes?: any }',
        does: 'Adds an item, or replaces the one with its key.',
      },
      {
        name: 'UpdateItem',
        parameters: 'table: string, key: object, options: object',
        returns: '{ Attributes?: any }',
        does: 'Changes an item as UpdateExpression says.',
      },
      {
        name: 'DeleteItem',
        parameters: 'table: string, key: object, options?: object',
        returns: '{ Attributes?: any }',
        does: 'Removes an item.',
      },
      {
        name: 'Query',
        parameters: 'table: string, options: object',
        returns: '{ Items: any[]; Count: number; LastEvaluatedKey?: any }',
        does: 'Finds the items that KeyConditionExpression names.',
      },
    ],
  },
  {
    type: 'Http',
    getter: 'Http()',
    does: 'Other servers, as far as the settings allow their hosts.',
    calls: [
      {
        name: 'Fetch',
        parameters: 'url: string, options?: { Method?: string; Headers?: Record<string, string>; Body?: string }',
        returns: '{ Status: number; Headers: Record<string, string>; Body: string }',
        does: 'Sends a request and waits for the answer, whatever its status is. Redirects are not followed.',
      },
    ],
  },
];

/**
 * Declarations of `GameSparks()` for editors. Those of the game's own shapes are made beside them. `overloads` has, by
 * the name of a call, the lists of parameters that the game's messages give it.
 */
export function scriptApiDeclarations(overloads: ReadonlyMap<string, readonly string[]>): string {
  const objects = SCRIPT_API.map(({ type, extends: base, does, calls }) => {
    const members = calls.flatMap(({ name, parameters, returns, does }) =>
      (overloads.get(name) ?? [parameters]).map((own) => `    /** ${does} */\n    ${name}(${own}): ${returns};`),
    );
    const heading = base === undefined ? type : `${type} extends ${base}`;
    return `  /** ${does} */\n  interface ${heading} {\n${members.join('\n')}\n  }`;
  });
  const getters = SCRIPT_API.map(({ type, getter }) => `    ${getter}: ${type};`);
  return `// What scripts of cloud code can call. Made by respark; changes are lost.

declare namespace GameSparksApi {
  /** What Response and Error make, for the script to return. */
  interface Result {
    readonly __result: never;
  }
${objects.join('\n')}
  interface Root {
${getters.join('\n')}
  }
}

declare function GameSparks(): GameSparksApi.Root;
`;
}
