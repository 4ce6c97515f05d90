/** What every language must have words for. */
import type { en } from './en';
import type { KeyHelp } from './en/reading';

/** The shape of the English words, with other words in it: a language that lacks one is no `Messages`. */
type Widen<T> = T extends string
  ? string
  : T extends (...given: infer Given) => string
    ? (...given: Given) => string
    : T extends readonly KeyHelp[]
      ? readonly KeyHelp[]
      : { readonly [Name in keyof T]: Widen<T[Name]> };

export type Messages = Widen<typeof en>;
