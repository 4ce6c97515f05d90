import { describe, expect, it } from 'vitest';

import type { TrainEvent } from '../src/api/types';
import { described, sentence, switched } from '../src/areas/clinician/sentence';
import { fileOf } from '../src/areas/engineer/dropped';
import { curve, keepOf, secondsLeft, smoothed } from '../src/areas/engineer/loss';
import { Window, windows } from '../src/components/windowing';
import { areasOf, homeOf, match } from '../src/router';

const vocabulary = ['normal', 'pneumonia', 'effusion', 'edema'].map((slug) => ({ slug, name: slug, snomed: null }));
const prompt = { findings: [], age_group: null, sex: null, view_position: null, style: null, text: null };

describe('the sentence', () => {
  it('has the form of the engine’s own', () => {
    // The same cases as in the engine's test of `StructuredPrompt::sentence`.
    expect(sentence(prompt, vocabulary)).toBe('chest radiograph');
    expect(
      sentence(
        { ...prompt, findings: ['edema', 'effusion', 'pneumonia'], sex: 'other', text: ' seen on   today ' },
        vocabulary,
      ),
    ).toBe('chest radiograph, pneumonia, effusion, edema, seen on today');
    expect(sentence({ ...prompt, view_position: 'AP', age_group: 'child', sex: 'male' }, vocabulary)).toBe(
      'chest radiograph, AP view, child, male',
    );
  });

  it('says place, severity, weight and style as the engine does', () => {
    const findings = [
      { finding: 'edema', place: 'bilateral', severity: 'mild' },
      { finding: 'effusion', place: 'left_base' },
      { finding: 'effusion', place: 'right_base', weight: 1.3 },
    ];
    expect(sentence({ ...prompt, findings, style: 'portable' }, vocabulary)).toBe(
      'chest radiograph, portable technique, (effusion in the right base:1.3), effusion in the left base, mild bilateral edema',
    );
  });

  it('keeps a finding a word until more is said of it', () => {
    const more = described(['edema', 'effusion'], 1, { place: 'left' });
    expect(more).toEqual(['edema', { finding: 'effusion', place: 'left' }]);
    expect(described(more, 1, { place: undefined })).toEqual(['edema', 'effusion']);
    expect(switched(more, 'effusion')).toEqual(['edema']);
  });

  it('lets normal exclude the others', () => {
    expect(switched(['effusion'], 'normal')).toEqual(['normal']);
    expect(switched(['normal'], 'edema')).toEqual(['edema']);
    expect(switched(['edema', 'effusion'], 'edema')).toEqual(['effusion']);
  });
});

describe('windows', () => {
  const pixels = Uint16Array.from({ length: 1001 }, (_, index) => index);
  const plain = { slope: 1, intercept: 0 };

  it('come from the pixels, in modality values', () => {
    const got = windows(pixels, { slope: 2, intercept: -100 }, false);
    expect([got.full.lower, got.full.upper]).toEqual([-100, 1900]);
    expect([got.lung.lower, got.lung.upper]).toEqual([-80, 1200]);
  });

  it('look for the lungs at the other end where low values are bright', () => {
    const got = windows(pixels, plain, true);
    expect([got.lung.lower, got.lung.upper]).toEqual([350, 990]);
  });

  it('keep the object’s own, and survive a picture of one value', () => {
    const own = new Window(40, 80);
    expect(windows(pixels, plain, false, own).standard).toBe(own);
    expect(windows(new Uint8Array(10), plain, false).standard.width).toBe(1);
  });
});

describe('losses', () => {
  const step = (number: number, loss: number, seconds_left: number): TrainEvent => ({
    event: 'step', step: number, total_steps: 3, loss, learning_rate: 1e-4, gradient_norm: 1, seconds_left,
  });

  it('count a step that was done again after a restart once', () => {
    const events: TrainEvent[] = [step(1, 0.5, 9), step(2, 0.4, 8), step(1, 0.6, 9), { event: 'validation', step: 0, loss: 0.3 }];
    const got = curve('run', events);
    expect(got.training).toEqual([{ step: 1, loss: 0.6 }, { step: 2, loss: 0.4 }]);
    expect(got.validation).toEqual([{ step: 0, loss: 0.3 }]);
    expect(secondsLeft(events)).toBe(9);
    expect(secondsLeft([])).toBeUndefined();
  });

  it('are smoothed without a pull towards zero', () => {
    for (const value of smoothed([2, 2, 2, 2], 0.9)) expect(value).toBeCloseTo(2, 12);
    expect(smoothed([1, 3], keepOf(2))).toEqual([1, 3]);
  });
});

describe('addresses', () => {
  it('lead to pages', () => {
    const at = (path: string) => match(new URL(path, 'http://localhost'));
    expect(at('/images/abc')).toMatchObject({ page: 'reading', params: { id: 'abc' } });
    expect(at('/runs/compare?ids=a,b').page).toBe('compare');
    expect(at('/runs/').page).toBe('runs');
    expect(at('/nowhere').page).toBe('missing');
  });

  it('open by role', () => {
    expect(areasOf(['auditor']).map((area) => area.key)).toEqual(['audit', 'verify']);
    expect(homeOf(['clinician', 'admin'])).toBe('/requests');
    expect(homeOf(['ml_engineer'])).toBe('/datasets');
    expect(homeOf([])).toBe('/password');
  });
});

describe('refused files', () => {
  it('get their names back', () => {
    const files = [new File([], 'a.dcm'), new File([], 'b.dcm')];
    expect(fileOf('files[1]', files)).toBe('b.dcm');
    expect(fileOf('files[7]', files)).toBeUndefined();
    expect(fileOf('name', files)).toBeUndefined();
  });
});
