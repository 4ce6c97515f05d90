import type { Messages } from './messages';
import { auditor } from './zh/auditor';
import { admin } from './zh/admin';
import { clinician } from './zh/clinician';
import { common } from './zh/common';
import { engineer } from './zh/engineer';
import { exchange } from './zh/exchange';
import { reading } from './zh/reading';
import { verify } from './zh/verify';

/** 简体中文 */
export const zh: Messages = { ...common, ...clinician, ...reading, ...engineer, ...exchange, ...auditor, ...admin, ...verify };
