/** The images that “next” and “previous” step through: those of the list that was looked at last. */
let list: string[] = [];

export function rememberList(ids: string[]): void {
  list = ids;
}

/** The list around `id`; empty when the image came by its address and not from a list. */
export function listAround(id: string): string[] {
  return list.includes(id) ? list : [];
}
