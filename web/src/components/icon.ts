/**
 * Icons are part of the build: nothing is fetched from elsewhere.
 *
 * Ours are drawn into the page (`icon('x')`); those inside Web Awesome's own components come as
 * files of this origin.
 */
import { registerIconLibrary } from '@awesome.me/webawesome/dist/webawesome.js';
import { html, type TemplateResult } from 'lit';
import { unsafeSVG } from 'lit/directives/unsafe-svg.js';
import activity from 'lucide-static/icons/activity.svg?raw';
import archive from 'lucide-static/icons/archive.svg?raw';
import arrowLeft from 'lucide-static/icons/arrow-left.svg?raw';
import ban from 'lucide-static/icons/ban.svg?raw';
import check from 'lucide-static/icons/check.svg?raw';
import chevronLeft from 'lucide-static/icons/chevron-left.svg?raw';
import chevronRight from 'lucide-static/icons/chevron-right.svg?raw';
import circleAlert from 'lucide-static/icons/circle-alert.svg?raw';
import circleX from 'lucide-static/icons/circle-x.svg?raw';
import contrast from 'lucide-static/icons/contrast.svg?raw';
import copy from 'lucide-static/icons/copy.svg?raw';
import database from 'lucide-static/icons/database.svg?raw';
import download from 'lucide-static/icons/download.svg?raw';
import inbox from 'lucide-static/icons/inbox.svg?raw';
import keyboard from 'lucide-static/icons/keyboard.svg?raw';
import languages from 'lucide-static/icons/languages.svg?raw';
import link from 'lucide-static/icons/link.svg?raw';
import list from 'lucide-static/icons/list-checks.svg?raw';
import logOut from 'lucide-static/icons/log-out.svg?raw';
import maximize from 'lucide-static/icons/maximize.svg?raw';
import moon from 'lucide-static/icons/moon.svg?raw';
import play from 'lucide-static/icons/play.svg?raw';
import plus from 'lucide-static/icons/plus.svg?raw';
import refresh from 'lucide-static/icons/refresh-cw.svg?raw';
import rocket from 'lucide-static/icons/badge-check.svg?raw';
import rotate from 'lucide-static/icons/rotate-ccw.svg?raw';
import scan from 'lucide-static/icons/scan-line.svg?raw';
import search from 'lucide-static/icons/search.svg?raw';
import send from 'lucide-static/icons/send.svg?raw';
import shield from 'lucide-static/icons/shield-check.svg?raw';
import sun from 'lucide-static/icons/sun.svg?raw';
import upload from 'lucide-static/icons/upload.svg?raw';
import user from 'lucide-static/icons/user.svg?raw';
import users from 'lucide-static/icons/users.svg?raw';
import zoomIn from 'lucide-static/icons/zoom-in.svg?raw';
import zoomOut from 'lucide-static/icons/zoom-out.svg?raw';
import checkFile from 'lucide-static/icons/check.svg?url';
import chevronDownFile from 'lucide-static/icons/chevron-down.svg?url';
import chevronLeftFile from 'lucide-static/icons/chevron-left.svg?url';
import chevronRightFile from 'lucide-static/icons/chevron-right.svg?url';
import circleFile from 'lucide-static/icons/circle.svg?url';
import eyeFile from 'lucide-static/icons/eye.svg?url';
import eyeOffFile from 'lucide-static/icons/eye-off.svg?url';
import minusFile from 'lucide-static/icons/minus.svg?url';
import plusFile from 'lucide-static/icons/plus.svg?url';
import xFile from 'lucide-static/icons/x.svg?url';

const drawn = {
  activity, archive, arrowLeft, ban, check, chevronLeft, chevronRight, circleAlert, circleX, contrast, copy, database,
  download, inbox, keyboard, languages, link, list, logOut, maximize, moon, play, plus, refresh, rocket, rotate,
  scan, search, send, shield, sun, upload, user, users, zoomIn, zoomOut,
};

export type IconName = keyof typeof drawn;

const svg = Object.fromEntries(
  Object.entries(drawn).map(([name, text]) => [name, text.slice(text.indexOf('<svg'))]),
) as Record<IconName, string>;

/** An icon; it says nothing to a screen reader, so that a label must stand beside it. */
export function icon(name: IconName): TemplateResult {
  return html`<span class="icon" aria-hidden="true">${unsafeSVG(svg[name])}</span>`;
}

const files: Record<string, string> = {
  check: checkFile,
  'chevron-down': chevronDownFile,
  'chevron-left': chevronLeftFile,
  'chevron-right': chevronRightFile,
  circle: circleFile,
  'circle-xmark': xFile,
  eye: eyeFile,
  'eye-slash': eyeOffFile,
  indeterminate: minusFile,
  minus: minusFile,
  plus: plusFile,
  xmark: xFile,
};

for (const library of ['default', 'system']) {
  registerIconLibrary(library, { resolver: (name) => files[name] ?? '' });
}
