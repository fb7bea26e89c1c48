"""What the docs of all estimators say of fitted attributes, and the publications that they cite."""

from __future__ import annotations

FITTED = {
    "n_features_in_": ("int", "Features a step, or columns of a 2-D table."),
    "feature_names_in_": ("array of str", "Names of the columns, if X had any."),
    "input_spec_": ("InputSpec", "What the sequences looked like in `fit`, and how they were cut and filled."),
    "vocabulary_": (
        "dict",
        "Index of each token; only for sequences of tokens. Index 0 is for tokens that training did not have.",
    ),
    "encoding_": (
        "StepEncoding",
        "How steps become numbers: the vocabularies of all inputs, the characters, and what is passed on.",
    ),
    "input_mean_": (
        "array of shape (n_numbers,)",
        "What is subtracted from each feature that is a number, those of several inputs one after the other: its "
        "mean over the steps of the training data, or 0 if it is left alone. Only if `standardize` scales any.",
    ),
    "input_scale_": (
        "array of shape (n_numbers,)",
        "What each such feature is then divided by: its standard deviation, or 1 if it is constant or left alone.",
    ),
    "embedding_coverage_": (
        "float",
        "Share of the vocabulary that has a pretrained vector; only with `pretrained_embeddings`.",
    ),
    "max_epochs_": (
        "int",
        '`max_epochs` of the last fit: as given, or what ``"auto"`` came to; 1 after `partial_fit`.',
    ),
    "batch_size_": ("int", "`batch_size` of the last fit."),
    "learning_rate_": ("float", "`learning_rate` of the last fit."),
    "hidden_size_": ("int or list of int", "`hidden_size` of the last fit."),
    "dropout_": ("float", "`dropout` of the last fit."),
    "embedding_dropout_": ("float", "`embedding_dropout` of the last fit, which numbers have no use for."),
    "word_dropout_": ("float", "`word_dropout` of the last fit, which numbers have no use for."),
    "label_smoothing_": ("float", "`label_smoothing` of the last fit."),
    "char_encoder_": ("str or None", "`char_encoder` of the last fit, or of the `pretrained` estimator."),
    "casing_features_": ("bool", "`casing_features` of the last fit, or of the `pretrained` estimator."),
    "pooling_": ("str or None", "`pooling` of the last fit; None if each step has a target."),
    "conv_branch_": ("bool", "`conv_branch` of the last fit."),
    "ngrams_": ("int or None", "`ngrams` of the last fit; None if each step has a target."),
    "target_": ("Target", "What y is: how it is encoded and scored, which outputs and which loss it has."),
    "net_": ("skorch.NeuralNet", "The trained net."),
    "module_": ("torch.nn.Module", "The network inside it."),
    "n_iter_": ("int", "Epochs that the last fit ran; of the last one perhaps a part, see `stopped_by_`."),
    "stopped_by_": (
        '{"max_epochs", "early_stopping", "max_time", "callback"}',
        'What ended the training. Only ``"max_epochs"`` means that more epochs would have been run, had they been '
        "asked for.",
    ),
    "best_epoch_": (
        "int",
        "The epoch, from 1, whose weights are kept: the last, or with `early_stopping` the best.",
    ),
    "loss_curve_": ("list of float", "Weighted mean training loss of each epoch."),
    "validation_scores_": (
        "list of float or None",
        "Score on the validation data after each epoch: accuracy, for a tagger what `scoring` says, R2 for a "
        "regressor; None without validation data.",
    ),
    "history_": ("list of dict", "skorch's record of each epoch."),
}
"""Kind and sentences of each attribute that every ``fit`` leaves behind, of decided parameters where there are such."""

REFERENCES = {
    "lstm": "Hochreiter, S. and Schmidhuber, J. (1997). Long short-term memory. Neural Computation 9(8), with the "
    "forget gate of Gers, F. A., Schmidhuber, J. and Cummins, F. (2000).",
    "gru": "Cho, K. et al. (2014). Learning phrase representations using RNN encoder-decoder. EMNLP.",
    "mgu": "Zhou, G.-B. et al. (2016). Minimal gated unit for recurrent neural networks. International Journal of "
    "Automation and Computing 13(3).",
    "identity": "Le, Q. V., Jaitly, N. and Hinton, G. E. (2015). A simple way to initialize recurrent networks of "
    "rectified linear units. arXiv:1504.00941.",
    "dropout": "Srivastava, N. et al. (2014). Dropout. JMLR 15.",
    "tied": "Gal, Y. and Ghahramani, Z. (2016). A theoretically grounded application of dropout in recurrent neural "
    "networks. NeurIPS.",
    "layernorm": "Ba, J. L., Kiros, J. R. and Hinton, G. E. (2016). Layer normalization. arXiv:1607.06450.",
    "charcnn": "Ma, X. and Hovy, E. (2016). End-to-end sequence labeling via bi-directional LSTM-CNNs-CRF. ACL.",
    "charlstm": "Lample, G. et al. (2016). Neural architectures for named entity recognition. NAACL.",
    "weightdrop": "Merity, S., Keskar, N. S. and Socher, R. (2018). Regularizing and optimizing LSTM language models. "
    "ICLR.",
    "ulmfit": "Howard, J. and Ruder, S. (2018). Universal language model fine-tuning for text classification. ACL.",
    "lstmfcn": "Karim, F., Majumdar, S., Darabi, H. and Chen, S. (2018). LSTM fully convolutional networks for time "
    "series classification. IEEE Access 6.",
    "widedeep": "Cheng, H.-T. et al. (2016). Wide and deep learning for recommender systems. DLRS.",
    "hashing": "Weinberger, K. et al. (2009). Feature hashing for large scale multitask learning. ICML.",
    "smoothing": "Szegedy, C. et al. (2016). Rethinking the Inception architecture for computer vision. CVPR.",
    "batchnorm": "Ioffe, S. and Szegedy, C. (2015). Batch normalization: accelerating deep network training by "
    "reducing internal covariate shift. ICML.",
    "crf": "Lafferty, J., McCallum, A. and Pereira, F. (2001). Conditional random fields. ICML.",
    "nade": "Larochelle, H. and Murray, I. (2011). The Neural Autoregressive Distribution Estimator. AISTATS.",
    "rnnnade": "Boulanger-Lewandowski, N., Bengio, Y. and Vincent, P. (2012). Modeling Temporal Dependencies "
    "in High-Dimensional Sequences: Application to Polyphonic Music Generation and Transcription. ICML.",
    "mdn": "Bishop, C. (1994). Mixture Density Networks. Aston University.",
    "handwriting": "Graves, A. (2013). Generating Sequences With Recurrent Neural Networks. arXiv:1308.0850.",
    "rnnlm": "Mikolov, T. et al. (2010). Recurrent neural network based language model. Interspeech.",
    "nucleus": "Holtzman, A. et al. (2020). The curious case of neural text degeneration. ICLR.",
    "sutskever": "Sutskever, I., Vinyals, O. and Le, Q. V. (2014). Sequence to sequence learning with neural networks. "
    "NeurIPS.",
    "luong": "Luong, M.-T., Pham, H. and Manning, C. D. (2015). Effective approaches to attention-based neural machine "
    "translation. EMNLP.",
    "bahdanau": "Bahdanau, D., Cho, K. and Bengio, Y. (2015). Neural machine translation by jointly learning to align "
    "and translate. ICLR.",
    "scheduled": "Bengio, S. et al. (2015). Scheduled sampling for sequence prediction with recurrent neural networks. "
    "NeurIPS.",
    "adaptive": "Grave, E. et al. (2017). Efficient softmax approximation for GPUs. ICML.",
    "tying": "Press, O. and Wolf, L. (2017). Using the output embedding to improve language models. EACL.",
    "quantile": "Koenker, R. and Bassett, G. (1978). Regression quantiles. Econometrica 46(1).",
    "negbin": "Salinas, D. et al. (2020). DeepAR: probabilistic forecasting with autoregressive recurrent networks. "
    "International Journal of Forecasting 36(3).",
    "bagging": "Breiman, L. (1996). Bagging predictors. Machine Learning 24(2).",
}
"""What ``[key]_`` cites in the docstrings of estimators and in the sentences of parameters."""
