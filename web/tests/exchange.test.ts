import { describe, expect, it } from 'vitest';

import type { Destination, Transfer } from '../src/api/types';
import { draftOf, EMPTY, settingsOf } from '../src/areas/admin/destination';
import { isOver, moved, nextOf, permitted } from '../src/areas/clinician/sending';
import { areasOf, homeOf, match } from '../src/router';

const web: Destination = {
  name: 'research', kind: 'dicomweb', address: 'https://pacs.example/dicom-web', ae_title: null, calling_ae_title: null,
  accepts_synthetic: true, tls: true, authorities: null, server_name: null, timeout_seconds: 30,
  authentication: 'basic', username: 'skiagraph', configured: false,
};

const transfer = (id: string, state: Transfer['state']): Transfer => ({
  id, state, image_ids: ['a', 'b'], destination: 'research', progress: { step: 0, total: 2 }, error: null, warning: null,
  created_at: '2026-11-28T12:00:00Z',
});

describe('the form of an archive', () => {
  it('marks nothing by itself', () => {
    expect(EMPTY.accepts).toBe(false);
    expect(settingsOf(EMPTY).accepts_synthetic).toBe(false);
  });

  it('sends of DIMSE what belongs to it, and certificates with TLS alone', () => {
    const draft = { ...EMPTY, address: ' pacs:104 ', aeTitle: 'PACS', authorities: 'PEM', username: 'left', secret: 'left over' };
    expect(settingsOf(draft)).toEqual({
      kind: 'dimse', address: 'pacs:104', accepts_synthetic: false, timeout_seconds: 30, ae_title: 'PACS',
      calling_ae_title: null, tls: false, authorities: null, server_name: null,
    });
    expect(settingsOf({ ...draft, tls: true })).toMatchObject({ tls: true, authorities: 'PEM' });
  });

  it('sends of DICOMweb no titles, and of a login what it needs', () => {
    const draft = { ...EMPTY, kind: 'dicomweb' as const, address: web.address, aeTitle: 'LEFT', username: 'left', secret: ' a lamp ' };
    expect(settingsOf(draft)).toEqual({
      kind: 'dicomweb', address: web.address, accepts_synthetic: false, timeout_seconds: 30, authorities: null,
      authentication: 'none', username: null, secret: null,
    });
    expect(settingsOf({ ...draft, authentication: 'bearer' })).toMatchObject({ username: null, secret: ' a lamp ' });
    expect(settingsOf({ ...draft, authentication: 'basic' })).toMatchObject({ username: 'left', secret: ' a lamp ' });
  });

  it('gives back what is there, without what opens it', () => {
    const draft = draftOf(web);
    expect(draft).toMatchObject({ name: 'research', accepts: true, secret: '', tls: false });
    expect(settingsOf(draft)).toMatchObject({ authentication: 'basic', username: 'skiagraph', secret: null });
  });
});

describe('sending', () => {
  it('is to marked archives alone', () => {
    const clinic = { ...web, name: 'clinic', accepts_synthetic: false };
    expect(permitted([clinic, web]).map(({ name }) => name)).toEqual(['research']);
  });

  it('is told from its events', () => {
    const now = moved(transfer('1', 'queued'), '{"state":"running","step":1,"total_steps":2,"error":null}');
    expect(now).toMatchObject({ id: '1', state: 'running', progress: { step: 1, total: 2 } });
    expect([isOver('queued'), isOver('running'), isOver('failed')]).toEqual([false, false, true]);
  });

  it('follows the one that is over first', () => {
    const all = [transfer('3', 'queued'), transfer('2', 'running'), transfer('1', 'failed')];
    expect(nextOf(all)?.id).toBe('2');
    expect(nextOf([transfer('1', 'succeeded')])).toBeUndefined();
  });
});

describe('the pages of sending', () => {
  it('are where their people look', () => {
    expect(match(new URL('/transfers', 'http://localhost')).page).toBe('transfers');
    expect(match(new URL('/destinations', 'http://localhost')).page).toBe('destinations');
    expect(areasOf(['clinician']).map((area) => area.key)).toContain('transfers');
    expect(areasOf(['clinician']).map((area) => area.key)).not.toContain('destinations');
    expect(areasOf(['admin']).map((area) => area.key)).toEqual(['users', 'destinations', 'verify']);
    expect(homeOf(['admin'])).toBe('/users');
  });
});
