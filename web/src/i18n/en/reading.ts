/** A row of the help: keys, apart by spaces, and what they do. */
export interface KeyHelp {
  keys: string;
  does: string;
}

export const reading = {
  review: {
    states: { pending: 'Pending', released: 'Released', rejected: 'Rejected' },
    title: 'Review',
    realism: 'Realism',
    realismHint: '1 – plainly artificial · 5 – cannot be told from a real one',
    realismOf: (n: number) => `Realism ${n} of 5`,
    reason: 'Reason',
    reasonHint: 'Needed to reject; kept with the image and in the audit log.',
    reasonNeeded: 'Say why the image is rejected, or choose a reason above.',
    reasons: {
      anatomy: 'Anatomy not plausible',
      finding: 'Requested finding not visible',
      artefact: 'Artefact',
      view: 'Wrong view',
      demographics: 'Age or sex does not match',
    },
    release: 'Release',
    reject: 'Reject',
    history: 'Verdicts so far',
    none: 'None yet. A second verdict takes the place of the first; both are kept.',
    released: 'Released. The next pending image is shown.',
    rejected: 'Rejected. The next pending image is shown.',
    allDone: 'Every image of this list has been judged.',
    onlyClinicians: 'Only a clinician releases or rejects images.',
    saved: 'The verdict is kept.',
  },
  reader: {
    title: 'Reading',
    synthetic: 'SYNTHETIC',
    notPatient: 'Not a patient. Not for diagnosis.',
    viewport: 'Radiograph. Arrow keys change window and level.',
    presets: 'Window presets',
    preset: { standard: 'Standard', full: 'Full range', contrast: 'High contrast', lung: 'Lungs', dense: 'Mediastinum and bone' },
    invert: 'Invert',
    reset: 'Reset',
    zoomIn: 'Zoom in',
    zoomOut: 'Zoom out',
    previous: 'Previous image',
    next: 'Next image',
    position: (index: number, total: number) => `${index} of ${total}`,
    window: 'W',
    level: 'L',
    zoom: 'Zoom',
    asked: 'Requested',
    provenance: 'Provenance',
    failed: 'The image cannot be shown',
    downloadDicom: 'DICOM',
    downloadPng: 'PNG',
    downloadReport: 'Verdict (DICOM SR)',
    toList: 'Worklist',
    model: 'Model',
    weights: 'Weights SHA-256',
    adapters: 'Adapters',
    learned: (word: string) => `Learned word “${word}”, SHA-256`,
    option: (name: string) => `Parameter ${name}`,
    none: 'None',
    seed: 'Seed',
    steps: 'Steps',
    guidance: 'Guidance',
    scheduler: 'Scheduler',
    noise: 'Random generator',
    watermark: 'Mark in the pixels',
    size: 'Size',
    input: (role: string) =>
      role === 'mask'
        ? 'Mask SHA-256'
        : role === 'control'
          ? 'Condition image SHA-256'
          : role === 'image_prompt'
            ? 'Image prompt SHA-256'
            : 'Initial image SHA-256',
    program: 'Program',
    object: 'Object SHA-256',
    made: 'Made',
    sentence: 'Sentence',
    negative: 'Not to show',
  },
  help: {
    image: 'Image',
    review: 'Review',
    mouse: 'Mouse',
    single: 'Shortcuts of a single key',
    singleHint: 'Switch off if you use speech input or press keys by accident.',
    imageKeys: [
      { keys: '↑ ↓', does: 'Level: darker, brighter' },
      { keys: '← →', does: 'Window: narrower, wider' },
      { keys: 'Shift ↑ ↓ ← →', does: 'Move the image' },
      { keys: '+ −', does: 'Zoom in, zoom out' },
      { keys: 'W', does: 'Next window preset' },
      { keys: 'I', does: 'Invert' },
      { keys: '0', does: 'Reset window, zoom and position' },
      { keys: 'J K', does: 'Next, previous image' },
    ] as readonly KeyHelp[],
    reviewKeys: [
      { keys: '1 … 5', does: 'Realism' },
      { keys: 'E', does: 'Release' },
      { keys: 'X', does: 'Reject (asks for the reason)' },
      { keys: '?', does: 'This help' },
    ] as readonly KeyHelp[],
    mouseKeys: [
      { keys: 'Drag', does: 'Across: window. Up and down: level' },
      { keys: 'Wheel', does: 'Zoom' },
      { keys: 'Right-drag', does: 'Move the image' },
    ] as readonly KeyHelp[],
  },
} as const;
