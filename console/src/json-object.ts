import { t } from './texts/language.ts';

/** What is wrong with a text that is to be one JSON object; undefined for one. */
export function faultOfObject(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? undefined : t('mustBeObject');
  } catch (error) {
    return String(error instanceof Error ? error.message : error);
  }
}
