import type { BuiltinName, Shape, Structure, TypeReference } from '../../payload-shapes.ts';
import type { GameModel } from '../configuration/model.ts';
import { scriptApiDeclarations } from './script-api.ts';

const BUILTIN_TYPES: Readonly<Record<BuiltinName, string>> = {
  String: 'string',
  Integer: 'number',
  Long: 'number',
  Decimal: 'number',
  Boolean: 'boolean',
  Timestamp: 'string',
  Document: 'any',
};

/**
 * Declarations with which an editor completes scripts: what `GameSparks()` has, the game's shapes, and `message`. All
 * scripts of a folder share them, so `message` has the fields of every request and event, each of which may be missing.
 */
export function scriptDeclarations(model: GameModel): string {
  const shapes = [...model.shapes.values()].map(declarationOf);
  const fields = new Map<string, Set<string>>();
  for (const { fields: own } of [
    ...model.requests.map(({ request }) => request),
    ...model.events.map(({ event }) => event),
  ]) {
    for (const { name, type } of own) {
      const types = fields.get(name) ?? new Set();
      fields.set(name, types.add(typeOf(type, 'GameShapes.')));
    }
  }
  const members = [...fields].map(([name, types]) => `  readonly ${name}?: ${[...types].join(' | ')};`);
  return `${scriptApiDeclarations(overloadsOf(model))}
/** The shapes of the game. */
declare namespace GameShapes {
${shapes.join('\n')}
}

/** The payload of the message that the script handles. */
declare const message: {
${members.join('\n')}
};
`;
}

/** The overloads of the calls that name a message, one for each message of the game, so that editors show a typo. */
function overloadsOf({ notifications, events }: GameModel): ReadonlyMap<string, readonly string[]> {
  const parametersOf = (name: string, { name: shape, fields }: Structure) => {
    const mayBeMissing = fields.every(({ isRequired }) => !isRequired);
    return `name: ${JSON.stringify(name)}, payload${mayBeMissing ? '?' : ''}: GameShapes.${shape}`;
  };
  const sends = notifications.map(({ name, notification }) => `${parametersOf(name, notification)}, playerId?: string`);
  const raises = events.map(({ name, event }) => parametersOf(name, event));
  return new Map([
    ['SendNotification', sends.length > 0 ? sends : ['name: never']],
    ['RaiseEvent', raises.length > 0 ? raises : ['name: never']],
  ]);
}

function declarationOf(shape: Shape): string {
  switch (shape.kind) {
    case 'structure': {
      const members = shape.fields.map(
        ({ name, type, isRequired }) => `    ${name}${isRequired ? '' : '?'}: ${typeOf(type)};`,
      );
      return `  interface ${shape.name} {\n${members.join('\n')}\n  }`;
    }
    case 'enum':
      return `  type ${shape.name} = ${shape.values.map((value) => JSON.stringify(value)).join(' | ')};`;
    case 'list':
      return `  type ${shape.name} = ${typeOf(shape.item)}[];`;
    case 'map':
      return `  type ${shape.name} = { [key: string]: ${typeOf(shape.value)} };`;
  }
}

function typeOf(type: TypeReference, prefix = ''): string {
  return type.kind === 'builtin' ? BUILTIN_TYPES[type.name] : `${prefix}${type.name}`;
}
