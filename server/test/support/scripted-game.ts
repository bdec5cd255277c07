import type { Json, Sections } from '../../src/domain/configuration/document.ts';

/** A field as `Shape`, or as `Shape?` when it is optional. */
type Fields = Readonly<Record<string, string>>;

/** What a test says of a message: its fields, and the script of its handler, if it has one. */
interface ScriptedRequest {
  readonly request?: Fields;
  readonly response?: Fields;
  readonly script?: string;
  readonly isEnabled?: boolean;
  readonly isFromPlayers?: boolean;
}

interface ScriptedEvent {
  readonly event?: Fields;
  readonly script?: string;
  readonly isEnabled?: boolean;
  readonly isFromPlayers?: boolean;
}

function structureOf(fields: Fields = {}): Json {
  return {
    Structure: {
      Fields: Object.fromEntries(
        Object.entries(fields).map(([name, shape]) => [
          name,
          { Shape: shape.replace('?', ''), Cardinality: shape.endsWith('?') ? 'Optional' : 'Required' },
        ]),
      ),
    },
  };
}

function handlerOf(script: string, isEnabled = true): Json {
  return { Enabled: isEnabled, Code: { Script: script, ScriptLanguage: 'Javascript_ES5_1' } };
}

/** The sections of a game that has these messages. `shapes` is for what the fields refer to. */
export function scriptedGame({
  requests = {},
  events = {},
  notifications = {},
  shapes = {},
}: {
  requests?: Readonly<Record<string, ScriptedRequest>>;
  events?: Readonly<Record<string, ScriptedEvent>>;
  notifications?: Readonly<Record<string, Fields>>;
  shapes?: Readonly<Record<string, Json>>;
}): Sections {
  const model: Record<string, Json> = { ...shapes };
  const sections: Record<string, Record<string, Json>> = {
    'GameSparks.Core.Requests': {},
    'GameSparks.Core.RequestHandlers': {},
    'GameSparks.Core.Events': {},
    'GameSparks.Core.EventHandlers': {},
    'GameSparks.Core.Notifications': {},
  };
  const put = (section: string, name: string, value: Json) => {
    (sections[section] as Record<string, Json>)[name] = value;
  };
  for (const [name, { request, response, script, isEnabled, isFromPlayers = true }] of Object.entries(requests)) {
    model[`${name}Request`] = structureOf(request);
    model[`${name}Response`] = structureOf(response);
    put('GameSparks.Core.Requests', name, {
      AllowedSources: isFromPlayers ? ['Player'] : [],
      RequestShape: `${name}Request`,
      ResponseShape: `${name}Response`,
    });
    if (script !== undefined) put('GameSparks.Core.RequestHandlers', name, handlerOf(script, isEnabled));
  }
  for (const [name, { event, script, isEnabled, isFromPlayers = true }] of Object.entries(events)) {
    model[`${name}Event`] = structureOf(event);
    put('GameSparks.Core.Events', name, {
      AllowedSources: isFromPlayers ? ['Player'] : [],
      EventShape: `${name}Event`,
    });
    if (script !== undefined) put('GameSparks.Core.EventHandlers', name, handlerOf(script, isEnabled));
  }
  for (const [name, fields] of Object.entries(notifications)) {
    model[`${name}Notification`] = structureOf(fields);
    put('GameSparks.Core.Notifications', name, { NotificationShape: `${name}Notification` });
  }
  return { ...sections, 'GameSparks.Core.Model': model };
}
