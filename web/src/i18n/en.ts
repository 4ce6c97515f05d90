import { auditor } from './en/auditor';
import { admin } from './en/admin';
import { clinician } from './en/clinician';
import { common } from './en/common';
import { engineer } from './en/engineer';
import { exchange } from './en/exchange';
import { reading } from './en/reading';
import { verify } from './en/verify';

/** English: the words that every other language must have too. */
export const en = { ...common, ...clinician, ...reading, ...engineer, ...exchange, ...auditor, ...admin, ...verify };
