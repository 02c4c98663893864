// The links of the export menu: what is shown, as a file.

import { $, element, say } from "./base.js";
import { query, roomApi } from "./places.js";

const FORMATS = [["text", "Text"], ["csv", "CSV"], ["jsonl", "JSONL"], ["irc", "IRC"], ["chatjson", "Chat JSON"]];

export class Exports {
  constructor(room, range, filter, streamTimes) {
    this.room = room;
    this.range = range;
    this.filter = filter;
    this.streamTimes = streamTimes;
    $("deleted").addEventListener("change", () => this.show());
    this.show();
  }

  show() {
    const filter = this.filter();
    const { start, offset } = this.streamTimes.kept();
    $("formats").replaceChildren(...FORMATS.map(([format, words]) => {
      const link = element("a", "", words);
      const video = format === "chatjson" ? { start, offset } : {};
      link.href = `${roomApi(this.room, "export")}?${query({ ...this.range, ...filter, ...video, format, deleted: $("deleted").value })}`;
      link.download = "";
      return link;
    }));
    const what = Object.values(filter).some(Boolean) ? "what the filter finds in this day" : "this whole day";
    say($("export-words"), `A file with ${what}. Chat JSON is for TwitchDownloader; its times count from when the stream began.`);
  }
}
