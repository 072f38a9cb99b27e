interface Page {
  readonly nextCursor?: string | undefined;
}

/** All pages of a list, one after the other. @param list - asks for one of them. */
export async function* pagesOf<T extends Page>(list: (from: { readonly cursor: string | undefined }) => Promise<T>): AsyncGenerator<T> {
  let cursor: string | undefined;
  do {
    const page = await list({ cursor });
    yield page;
    cursor = page.nextCursor;
  } while (cursor !== undefined);
}
