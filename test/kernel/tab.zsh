# zsh -f -c "$(cat tab.zsh)" tab LINE…: types each line and a tab into a zsh on a terminal of its own, as a user of Debian has one, and
# prints what the line became. Refuses to fake the line editor: what is printed is its own buffer.
zmodload zsh/zpty
became=$(mktemp)
zpty shell zsh -f -i
zpty -w shell "PS1=; autoload -Uz compinit; compinit -u -D
show() { print -r -- \"\$BUFFER\" >>$became; BUFFER= }
zle -N show; bindkey '^X' show; print re''ady"
zpty -r -m shell said '*ready*'
for line in "$@"; do zpty -w -n shell "$line"$'\t\x18'; done
zpty -w shell "print do''ne"
zpty -r -m shell said '*done*'
zpty -d shell
cat $became
rm $became
