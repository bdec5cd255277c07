import fc from 'fast-check';
import type { Sections } from '../../src/domain/configuration/document.ts';
import { BUILTIN_NAMES, isBuiltin } from '../../src/payload-shapes.ts';
import { anyText } from './any-text.ts';

const NAMES = `a A _a b Message _Message Connection Action System Newtonsoft Environment NullValueHandling JsonProperty
  JsonPropertyAttribute Decimal DateTimeOffset IReadOnlyList nameof get_a set_A get_Message value__ ToString Equals Finalize
  class enum string int record var dynamic required partial async await yield __arglist __proto__ constructor prototype
  Promise ResparkClient Json Readonly Record Array Object Response typed client payload options listener type any unknown
  never undefined symbol readonly keyof unique infer asserts intrinsic let static interface requestA AValues requestAValues
  sendA onA EnqueueaRequest EnqueueMessageEvent SubscribeToaNotification GameOperations DemoOperations`.split(/\s+/);

const name = fc
  .oneof({ weight: 4, arbitrary: fc.constantFrom(...NAMES) }, fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/))
  .filter((text) => !isBuiltin(text));
const description = fc.oneof(
  fc.constant(''),
  anyText(),
  fc.constantFrom('*/ }', '@ts-expect-error', '</summary>\n}', 'a\u2028}', 'a\u0085}', '\ud800', '///', '*', '/', '\\'),
);

function entries<T>(key: fc.Arbitrary<string>, value: fc.Arbitrary<T>, maxLength = 6) {
  return fc
    .uniqueArray(fc.tuple(key, value), { selector: ([text]) => text, maxLength })
    .map((pairs) => Object.fromEntries(pairs));
}

/** Sections of random games, as far as code is generated from them. */
export const randomSections: fc.Arbitrary<Sections> = fc
  .uniqueArray(name, { minLength: 1, maxLength: 12 })
  .chain((shapes) => {
    const structures = shapes.slice(0, Math.ceil(shapes.length / 2));
    const shape = fc.constantFrom(...BUILTIN_NAMES, ...shapes);
    const structure = fc.constantFrom(...structures);
    const sources = fc.constantFrom(['Player'], []);
    const cardinality = fc.constantFrom('Required', 'Optional');
    const field = fc.record({ Shape: shape, Cardinality: cardinality, Description: description });
    const value = fc.oneof(name, fc.string());
    const structureEntry = fc.record({
      Structure: fc.record({ Description: description, Fields: entries(name, field) }),
    });
    const otherEntry = fc.oneof(
      fc.record({ Enum: fc.record({ Values: fc.uniqueArray(value), Description: description }) }),
      fc.record({ List: fc.record({ Shape: shape }) }),
      fc.record({ Map: fc.record({ Shape: shape }) }),
    );
    const model = fc
      .tuple(...shapes.map((key) => (structures.includes(key) ? structureEntry : otherEntry)))
      .map((values) => Object.fromEntries(values.map((entry, place) => [shapes[place], entry])));
    const message = { AllowedSources: sources, Description: description };
    return fc.record({
      'GameSparks.Core.Model': model,
      'GameSparks.Core.Requests': entries(
        name,
        fc.record({ ...message, RequestShape: structure, ResponseShape: structure }),
      ),
      'GameSparks.Core.Events': entries(name, fc.record({ ...message, EventShape: structure })),
      'GameSparks.Core.Notifications': entries(
        name,
        fc.record({ NotificationShape: structure, Description: description }),
      ),
    }) as fc.Arbitrary<Sections>;
  });
