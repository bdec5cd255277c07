import { variableOf } from './setting.ts';

/**
 * Checks what must hold between settings that are each valid: gives the fault, or undefined when there is none. The settings
 * may be of any group, since `config.ts` gives every check the values of all of them.
 */
export interface Check<Values> {
  (values: Values): string | undefined;
  readonly givesWay?: GivesWay;
}

/** A setting whose default is moved to the bound that another setting gives it, when only that other one is set. */
export interface GivesWay {
  readonly key: string;
  readonly boundOf: (values: Readonly<Record<string, unknown>>) => number;
}

type Each<Keys extends string, Value> = Readonly<Record<Keys, Value>>;

/** Either both settings are set, or neither is. */
export function pair<One extends string, Other extends string>(
  one: One,
  other: Other,
): Check<Each<One | Other, unknown>> {
  return (values) => {
    if ((values[one] === undefined) === (values[other] === undefined)) return undefined;
    const [set, missing] = values[one] === undefined ? [other, one] : [one, other];
    return `${variableOf(set)} is set without ${variableOf(missing)}; set both or neither`;
  };
}

/** The first setting has no effect without the second; `otherwise` says what happens when the second is not set. */
export function needs<Key extends string, Needed extends string>(
  key: Key,
  needed: Needed,
  otherwise: string,
): Check<Each<Key | Needed, unknown>> {
  return (values) => {
    if (!values[key] || values[needed] !== undefined) return undefined;
    return `${variableOf(key)} is set without ${variableOf(needed)}, so ${otherwise}; set both or neither`;
  };
}

/** The first setting has another value than `value`, its default, only where the second is set. */
export function pointless<Key extends string, Needed extends string>(
  key: Key,
  value: unknown,
  needed: Needed,
): Check<Each<Key | Needed, unknown>> {
  return (values) => {
    if (values[needed] !== undefined || values[key] === value) return undefined;
    const [name, missing] = [variableOf(key), variableOf(needed)];
    return `${name} is ${values[key]} without ${missing}, and means nothing there; set ${missing}, or leave ${name} out`;
  };
}

/**
 * The small number, multiplied by `times`, is at most the large one. With `givesWay`, an operator who sets one of them need not
 * set the other: its default is as much lower, or higher, as it must be.
 */
export function atMost<Small extends string, Large extends string>(
  small: Small,
  large: Large,
  { times = 1, givesWay }: { readonly times?: number; readonly givesWay?: 'the small' | 'the large' } = {},
): Check<Each<Small | Large, number>> {
  const check = (values: Each<Small | Large, number>) => {
    if (values[small] * times <= values[large]) return undefined;
    const [less, more] = [small, large].map((key) => `${variableOf(key)} (${values[key as Small | Large]})`);
    return `${less} must be at most ${times === 1 ? '' : `1/${times} of `}${more}; change either`;
  };
  if (givesWay === undefined) return check;
  return Object.assign(check, {
    givesWay:
      givesWay === 'the small'
        ? {
            key: small,
            boundOf: (values: Readonly<Record<string, unknown>>) => Math.floor(Number(values[large]) / times),
          }
        : { key: large, boundOf: (values: Readonly<Record<string, unknown>>) => Number(values[small]) * times },
  });
}
