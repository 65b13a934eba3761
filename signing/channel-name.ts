// The names of channels, apart from what verifies pointers: every command may ask for one, and few need to verify. A closed list: a
// misspelt channel must not pass for one that nobody has pointed anywhere.

export const CHANNELS = ["stable", "candidate"] as const;
export type ChannelName = (typeof CHANNELS)[number];

export function isChannelName(text: unknown): text is ChannelName {
	return CHANNELS.some((channel) => channel === text);
}
