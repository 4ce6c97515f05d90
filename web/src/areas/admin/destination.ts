/** What the form of an archive holds, and what of it is sent. */
import type { Authentication, Destination, DestinationKind, DestinationSettings } from '../../api/types';

/** Every field of the form, also those that the chosen protocol does not show. */
export interface Draft {
  name: string;
  kind: DestinationKind;
  address: string;
  accepts: boolean;
  aeTitle: string;
  callingAeTitle: string;
  tls: boolean;
  authorities: string;
  serverName: string;
  timeout: number | null;
  authentication: Authentication;
  username: string;
  secret: string;
}

/** A form that nobody has filled in: no archive is marked unless somebody marks it. */
export const EMPTY: Draft = {
  name: '',
  kind: 'dimse',
  address: '',
  accepts: false,
  aeTitle: '',
  callingAeTitle: '',
  tls: false,
  authorities: '',
  serverName: '',
  timeout: 30,
  authentication: 'none',
  username: '',
  secret: '',
};

/** The form of an archive that is there. What opens it is known to the server alone. */
export function draftOf(destination: Destination): Draft {
  return {
    name: destination.name,
    kind: destination.kind,
    address: destination.address,
    accepts: destination.accepts_synthetic,
    aeTitle: destination.ae_title ?? '',
    callingAeTitle: destination.calling_ae_title ?? '',
    tls: destination.kind === 'dimse' && destination.tls,
    authorities: destination.authorities ?? '',
    serverName: destination.server_name ?? '',
    timeout: destination.timeout_seconds,
    authentication: destination.authentication,
    username: destination.username ?? '',
    secret: '',
  };
}

/** What is sent: nothing that the form does not show for the protocol and the login that are chosen. */
export function settingsOf(draft: Draft): DestinationSettings {
  const { kind, authentication } = draft;
  const some = (text: string) => text.trim() || null;
  const common = { kind, address: draft.address.trim(), accepts_synthetic: draft.accepts, timeout_seconds: draft.timeout };
  if (kind === 'dimse') {
    return {
      ...common,
      ae_title: some(draft.aeTitle),
      calling_ae_title: some(draft.callingAeTitle),
      tls: draft.tls,
      authorities: draft.tls ? some(draft.authorities) : null,
      server_name: draft.tls ? some(draft.serverName) : null,
    };
  }
  return {
    ...common,
    authorities: some(draft.authorities),
    authentication,
    username: authentication === 'basic' ? some(draft.username) : null,
    // A password may begin or end with a space.
    secret: authentication === 'none' || draft.secret === '' ? null : draft.secret,
  };
}
