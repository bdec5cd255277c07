import { SECTIONS } from './sections.ts';

type Schema = Readonly<Record<string, unknown>>;

const text = { type: 'string' };

/** Names of shapes, fields, messages and enum values are identifiers in every language that code is generated for. */
const name = { type: 'string', pattern: '^[A-Za-z_][A-Za-z0-9_]{0,63}$' };

/**
 * A member has the same form wherever it stands, so that the whole schema stays within 2,048 characters. These two
 * refer to no other definition, so ajv inlines them; with others it needs time that is quadratic in the number of
 * faults.
 */
const leaves = {
  Named: { type: 'object', propertyNames: name },
  Entry: {
    type: 'object',
    properties: {
      Description: text,
      AllowedSources: { type: 'array', items: { enum: ['Player'] } },
      Cardinality: { enum: ['Required', 'Optional'] },
      Values: { type: 'array', items: name, minItems: 1 },
      Enabled: { type: 'boolean' },
      Script: text,
      ScriptLanguage: { enum: ['Javascript_ES5_1'] },
    },
    patternProperties: { Shape$: text },
  },
};

/** An object whose keys are names. */
function named(value: Schema): Schema {
  return { $ref: '#/$defs/Named', additionalProperties: value };
}

/** An object with the required members, and with `properties` in this form; other members are ignored. */
function entry(required: readonly string[], properties?: Readonly<Record<string, Schema>>): Schema {
  return { $ref: '#/$defs/Entry', required, ...(properties && { properties }) };
}

const shape = {
  type: 'object',
  minProperties: 1,
  maxProperties: 1,
  properties: {
    Structure: entry(['Fields'], { Fields: named(entry(['Shape', 'Cardinality'])) }),
    Enum: entry(['Values']),
    List: entry(['Shape']),
    Map: entry(['Shape']),
  },
  additionalProperties: false,
};

const handlers = { $ref: '#/$defs/Handlers' };

const $defs = {
  ...leaves,
  // Their keys are the names of messages, which have been looked at, or types of the system's.
  Handlers: {
    type: 'object',
    additionalProperties: entry(['Enabled', 'Code'], { Code: entry(['Script', 'ScriptLanguage']) }),
  },
};

/**
 * The sections that `GameSparks/Core` owns, as JSON Schema. Configurations are checked with it, and GetExtensionVersion
 * returns it.
 */
export const CORE_SCHEMA = JSON.stringify({
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  description: 'A Shape is of the Model, or String, Integer, Long, Decimal, Boolean, Timestamp or Document.',
  type: 'object',
  properties: {
    [SECTIONS.model]: named(shape),
    [SECTIONS.requests]: named(entry(['AllowedSources', 'RequestShape', 'ResponseShape'])),
    [SECTIONS.requestHandlers]: handlers,
    [SECTIONS.events]: named(entry(['AllowedSources', 'EventShape'])),
    [SECTIONS.eventHandlers]: handlers,
    [SECTIONS.notifications]: named(entry(['NotificationShape'])),
  },
  $defs,
});

/** `GameSparks/Identity` owns no section: it brings a request that every game has. */
export const IDENTITY_SCHEMA = JSON.stringify({
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  description:
    'Owns no section. The request GameSparks.Identity.GetPlayerToken gives a player the token to come back with.',
  $defs: {
    GetPlayerTokenRequest: { type: 'object' },
    GetPlayerTokenResponse: {
      type: 'object',
      required: ['AuthenticationToken'],
      properties: { AuthenticationToken: text },
    },
  },
});
