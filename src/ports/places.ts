/** Of what there is only so much at once: streams that are open, turns under way, sessions at work. */
export type Thing = 'streams' | 'turns' | 'sessions';

export interface Place {
  readonly tenantId: string;
  readonly thing: Thing;
  readonly userId: string;
  /** Taking the same again renews it. */
  readonly id: string;
}

export interface PlaceLimits {
  /** Of the tenant. */
  readonly all: number;
  /** Of one of its users. */
  readonly share: number;
}

export interface PlaceDecision {
  readonly taken: boolean;
  /** What binds: the tenant's places, or the user's. */
  readonly bound: 'all' | 'share';
  /** Places left of what binds. */
  readonly remaining: number;
}

/**
 * Places that all API replicas count together. Each is held for a time and renewed, so that those of a process that was killed come free by
 * themselves.
 */
export interface Places {
  /** @throws DomainError `dependency/unavailable`: without the shared count nothing is taken. */
  take(place: Place, limits: PlaceLimits, forMs: number): Promise<PlaceDecision>;
  /** Holds it longer, whatever the limits say by now. Never throws: what runs goes on while nobody counts. */
  keep(place: Place, forMs: number): Promise<void>;
  /** Gives it back. Never throws: it comes free by itself. */
  leave(place: Place): Promise<void>;
  /** As {@link leave}, for who does not know whose it is. */
  vacate(place: Omit<Place, 'userId'>): Promise<void>;
}
