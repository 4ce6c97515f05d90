/** The files of a drop, those of dropped folders too. */
export async function droppedFiles(transfer: DataTransfer): Promise<File[]> {
  // The items are gone after the first await: their entries are taken at once.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  if (entries.length === 0) return [...transfer.files];
  const files: File[] = [];
  for (const entry of entries) await collect(entry, files);
  return files;
}

async function collect(entry: FileSystemEntry, files: File[]): Promise<void> {
  if (entry.isFile) {
    files.push(await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject)));
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    // A reader gives its entries in parts, and an empty part at the end.
    const part = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (part.length === 0) return;
    for (const child of part) await collect(child, files);
  }
}

/** The name of the file that a problem calls `files[3]`, for the person who chose it. */
export function fileOf(field: string, files: readonly File[]): string | undefined {
  const index = /^files\[(\d+)\]/.exec(field)?.[1];
  return index === undefined ? undefined : files[Number(index)]?.name;
}
