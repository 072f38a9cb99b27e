import { z } from 'zod';
import { type CursorOf, cursorPatterns } from '../../contracts/cursors';
import { queryInteger } from '../query-values';

/** What a page is asked by. The list says what its cursors look like. */
export const pageOfList = (list: CursorOf) =>
  z.object({ limit: queryInteger({ min: 1, max: 200 }).default(50), cursor: z.string().regex(cursorPatterns[list], 'it is not a cursor of this list: start without one').optional() });

/** `nextCursor` is absent on the last page. */
export const pageOf = <Item extends z.ZodType>(item: Item) => z.object({ data: z.array(item), nextCursor: z.string().optional() });
